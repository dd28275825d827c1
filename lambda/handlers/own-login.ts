import type { ConnectionOptions } from "node:tls";
import { ConfigError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import type { Login } from "../postgres/connection/login.ts";
import type { LoginSource } from "../postgres/connection/maintenance.ts";

/** The secret of one of Mayfly's own logins, and the server to use it on. */
export interface OwnLoginDeps {
  readonly secrets: Pick<SecretStore, "getSecret">;
  readonly secretArn: string;
  readonly database: string;
  /**
   * From the deployment, never from the secret: a writer of the secret must not choose the server.
   */
  readonly host: string;
  readonly port: number;
  readonly ssl: () => ConnectionOptions | false;
}

/** The login in a secret's AWSCURRENT version, cached until its password is refused. */
export function ownLogin(deps: OwnLoginDeps): LoginSource {
  let login: Login | undefined;
  return async ({ fresh }) => {
    if (login === undefined || fresh) login = await readLogin(deps);
    return login;
  };
}

async function readLogin(deps: OwnLoginDeps): Promise<Login> {
  const { secrets, secretArn, database, host, port, ssl } = deps;
  const { username, password } = (await secrets.getSecret(secretArn))?.value ?? {};
  if (typeof username !== "string" || !(password instanceof Secret))
    throw new ConfigError(
      `secret ${secretArn} holds no username and password; deploy the stack again, and the provisioner writes them`,
    );
  return { host, port, database, username, password, ssl: ssl() };
}
