import type { ConnectionOptions } from "node:tls";
import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type {
  Refusal,
  RotationServers,
  RotationSession,
  ServerLogin,
} from "../../../core/rotation/ports.ts";
import { seconds } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";
import { type OpenSession, openSession } from "../connection/session.ts";
import { ident, literal, sql } from "../connection/sql.ts";
import { differencesBetween } from "./likeness.ts";
import { convergeTurn } from "./turn.ts";

/** A step has 60 seconds, and at most three logins. */
export const ROTATION_LIMITS: Limits = {
  connect: seconds(5),
  statement: seconds(10),
  lock: seconds(5),
};

/** The server was reached, and does not let this user in: wrong password, NOLOGIN, no such user. */
const REFUSED: ReadonlySet<string> = new Set(["28P01", "28000"]);
const NO_DATABASE = "3D000";

/** PostgreSQL servers as {@link RotationServers}. */
export const rotationServers = (
  ssl: (host: string) => ConnectionOptions | false,
  open: typeof openSession = openSession,
): RotationServers => ({
  logIn: async ({ host, port, dbname, username, password }) => {
    const login = { host, port, database: dbname, username, password, ssl: ssl(host) };
    try {
      return sessionOf(await open(login, ROTATION_LIMITS));
    } catch (error) {
      return refusalIn(error, { host, dbname, username });
    }
  },
});

function refusalIn(
  error: unknown,
  { host, dbname, username }: Pick<ServerLogin, "host" | "dbname" | "username">,
): Refusal {
  if (!(error instanceof StatementRejectedError)) throw error;
  if (REFUSED.has(error.sqlState)) return { refused: error.sqlState };
  if (error.sqlState === NO_DATABASE)
    throw new ConfigError(
      `${host} has no database "${dbname}" (SQLSTATE ${NO_DATABASE}); correct the secret's dbname`,
      { cause: error },
    );
  throw new ConfigError(
    `${username} is known to ${host}, but may not connect to the database "${dbname}" (SQLSTATE ${error.sqlState}); grant CONNECT, or correct the secret's dbname`,
    { cause: error },
  );
}

const sessionOf = (session: OpenSession): RotationSession => ({
  setOwnPassword: async (username, verifier) => {
    try {
      await session.applyUnlogged("set the own password", [
        sql`alter role ${ident(username)} password ${literal(verifier)}`,
      ]);
    } catch (error) {
      if (!(error instanceof StatementRejectedError)) throw error;
      throw new ConfigError(
        `${username} may not change its own password (SQLSTATE ${error.sqlState}), and it stays as it was; on RDS with rds.restrict_password_commands have a DBA run: GRANT rds_password TO ${ident(username)};`,
        { cause: error },
      );
    }
  },
  convergeTurn: (user) => convergeTurn(session, user),
  actsAs: async () => {
    const [row] = await session.rows<{ role: string }>(
      "ask for the current role",
      sql`select current_user::text as role`,
    );
    return row?.role ?? "";
  },
  differences: (username, other, limit) => differencesBetween(session, username, other, limit),
  tryQueries: async (queries) => {
    for (const [i, query] of queries.entries())
      try {
        await session.tryOut(`testQueries[${i}]`, query);
      } catch (error) {
        if (!(error instanceof StatementRejectedError)) throw error;
        throw new ConfigError(
          `the login cannot run testQueries[${i}] (SQLSTATE ${error.sqlState}); grant what it needs, or correct the query in the configuration`,
          { cause: error },
        );
      }
  },
  end: () => session.end(),
});
