import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type { SecretStore } from "../../../core/secret-store.ts";
import type { Login } from "../connection/login.ts";
import { WRONG_PASSWORD } from "../connection/sqlstates.ts";
import { type TlsSettings, tlsOptions } from "../connection/tls.ts";
import { knownPassword } from "./converge/rotated-secrets.ts";

/** Where a server is, and where the function that asks for it is. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly region: string;
  /** The folder that holds `rds-ca/`. */
  readonly folder: string;
}

/** Who the administrator is. */
export interface AdminDeps {
  readonly secrets: Pick<SecretStore, "getSecret">;
  /** ARN of the administrator's secret. */
  readonly adminSecret: string;
  readonly server: ServerAddress;
  /** Told when work is done again. */
  readonly log?: (step: string) => void;
}

/** Rotations come once in hours; the second attempt has a password that stays. */
const ATTEMPTS = 3;

/**
 * Work as the administrator. When its password turns out to be another, which its rotation has set
 * meanwhile, the work is done again from the start: it must be safe to repeat.
 *
 * @throws ConfigError when the secret is not one of the kind that AWS calls a database secret.
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

/** The admin's login by `AWSCURRENT`, to the database that its secret names. */
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
 * The same with another password, if a rotation has set one: `AWSPENDING` is the server's before it is
 * current, and stays so where the rotation was called off.
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
