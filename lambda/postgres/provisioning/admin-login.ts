import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
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
 * @throws ConfigError if the secret is not an AWS database secret.
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
      const next = await rotatedLogin(deps, admin);
      if (next === undefined) throw error;
      deps.log?.(
        "the administrator's password was rotated meanwhile; from the start, with the next",
      );
      admin = next;
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
 * The same login with a new password, if a rotation has set one: the server accepts `AWSPENDING`
 * before it is current, and also after the rotation was cancelled.
 */
async function rotatedLogin(
  { secrets, adminSecret }: AdminDeps,
  admin: Login,
): Promise<Login | undefined> {
  const stages = ["AWSCURRENT", "AWSPENDING"] as const;
  const known = await knownPassword({ secrets }, adminSecret, admin, stages);
  return known === undefined || known.password.reveal() === admin.password.reveal()
    ? undefined
    : { ...admin, password: known.password };
}

const isWrongPassword = (error: unknown): boolean =>
  error instanceof StatementRejectedError && error.engineCode === WRONG_PASSWORD;
