import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type { Secret } from "../../../core/secret.ts";
import type { SecretStore } from "../../../core/secret-store.ts";
import type { Login } from "../connection/login.ts";
import { WRONG_PASSWORD } from "../connection/sqlstates.ts";
import { type TlsSettings, tlsOptions } from "../connection/tls.ts";
import { knownPassword } from "./converge/rotated-secrets.ts";

/** The address of a server, and the Region and folder of the function. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly region: string;
  /** The folder that holds `rds-ca/`. */
  readonly folder: string;
}

/** The administrator's secret and server. */
export interface AdminDeps {
  readonly secrets: Pick<SecretStore, "getSecret">;
  /** ARN of the administrator's secret. */
  readonly adminSecret: string;
  readonly server: ServerAddress;
  /** Called when the work is repeated. */
  readonly log?: (step: string) => void;
}

/** Rotations are hours apart, so the password of the second attempt stays valid. */
const ATTEMPTS = 3;

/**
 * Work as the administrator. If a rotation changes its password meanwhile, the work is repeated
 * from the start: it must be safe to repeat.
 *
 * @throws ConfigError if the secret is not an AWS database secret, or if the server refuses its
 *   login.
 */
export async function asAdmin<T>(
  deps: AdminDeps,
  tls: TlsSettings,
  work: (admin: Login) => Promise<T>,
): Promise<T> {
  let admin = await adminLogin(deps, tls);
  for (let left = ATTEMPTS - 1; ; left--)
    try {
      return await work(admin);
    } catch (error) {
      if (left === 0 || !isWrongPassword(error)) throw error;
      const password = await acceptedPassword(deps, admin);
      // the login that was refused was not the administrator's
      if (password.reveal() === admin.password.reveal()) throw error;
      deps.log?.(
        "the administrator's password was rotated meanwhile; from the start, with the next",
      );
      admin = { ...admin, password };
    }
}

/** The administrator's `AWSCURRENT` login, to the database in its secret. */
async function adminLogin(
  { secrets, adminSecret: arn, server }: AdminDeps,
  tls: TlsSettings,
): Promise<Login> {
  const { username, password, dbname } = (await secrets.getSecret(arn))?.value ?? {};
  if (typeof username !== "string" || password === undefined || typeof dbname !== "string")
    throw new ConfigError(
      `the admin secret ${arn} must have the keys username, password and dbname; secrets that RDS manages hold no dbname and are not supported: store an admin's login in a secret of its own`,
    );
  return {
    host: server.host,
    port: server.port,
    database: dbname,
    username,
    password,
    ssl: tlsOptions(server.host, tls, server),
    role: "none",
  };
}

/**
 * The password in the secret that the server accepts now. During a rotation that may be
 * `AWSPENDING`, before it is current; and also after the rotation was cancelled.
 *
 * @throws ConfigError if the server accepts none.
 */
async function acceptedPassword(
  { secrets, adminSecret: arn, server }: AdminDeps,
  admin: Login,
): Promise<Secret> {
  const known = await knownPassword({ secrets }, arn, admin, ["AWSCURRENT", "AWSPENDING"]);
  if (known !== undefined) return known.password;
  throw new ConfigError(
    `the admin secret ${arn} holds a login that ${server.host} refuses (code ${WRONG_PASSWORD}); put the right username and password there`,
  );
}

const isWrongPassword = (error: unknown): boolean =>
  error instanceof StatementRejectedError && error.engineCode === WRONG_PASSWORD;
