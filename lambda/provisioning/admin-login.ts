import { ConfigError } from "../../core/errors.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import type { Login } from "../postgres/login.ts";
import { type TlsSettings, tlsOptions } from "../postgres/tls.ts";

/** Where a server is, and where the function that asks for it is. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly region: string;
  /** The folder that holds `rds-ca/`. */
  readonly folder: string;
}

/**
 * The admin's login, to the database that its secret names.
 *
 * @throws ConfigError when the secret is not one of the kind that AWS calls a database secret.
 */
export async function adminLogin(
  secrets: Pick<SecretStore, "getSecret">,
  arn: string,
  place: ServerPlace,
  tls: TlsSettings,
): Promise<Login> {
  const { username, password, dbname } = (await secrets.getSecret(arn))?.value ?? {};
  if (typeof username !== "string" || password === undefined || typeof dbname !== "string")
    throw new ConfigError(
      `the admin secret ${arn} must have the keys username, password and dbname; secrets that RDS manages hold no dbname and are not supported: store an admin's login in a secret of its own`,
    );
  return {
    host: place.host,
    port: place.port,
    database: dbname,
    username,
    password,
    ssl: tlsOptions(place.host, tls, place),
  };
}
