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
import { scramVerifier } from "../connection/scram.ts";
import { type OpenSession, openSession } from "../connection/session.ts";
import { ident, literal, sql } from "../connection/sql.ts";
import { NO_DATABASE, NOT_AUTHORIZED, WRONG_PASSWORD } from "../connection/sqlstates.ts";
import { differencesBetween } from "./likeness.ts";
import { convergeTurn } from "./turn.ts";

/** A step has 60 seconds, and at most three logins. */
export const ROTATION_LIMITS: Limits = {
  connect: seconds(5),
  statement: seconds(10),
  lock: seconds(5),
};

/** The server was reached, and does not let this user in: wrong password, NOLOGIN, no such user. */
const REFUSED: ReadonlySet<string> = new Set([WRONG_PASSWORD, NOT_AUTHORIZED]);

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
  if (REFUSED.has(error.engineCode)) return { refused: error.engineCode };
  if (error.engineCode === NO_DATABASE)
    throw new ConfigError(
      `${host} has no database "${dbname}" (code ${NO_DATABASE}); correct the secret's dbname`,
      { cause: error },
    );
  throw new ConfigError(
    `${username} is known to ${host}, but may not connect to the database "${dbname}" (code ${error.engineCode}); grant CONNECT, or correct the secret's dbname`,
    { cause: error },
  );
}

/** `$1` a user. Its own settings, for one database or for all. */
const ownSettings = sql`
select d.datname::text as database from pg_catalog.pg_db_role_setting s
join pg_catalog.pg_roles r on r.oid = s.setrole
left join pg_catalog.pg_database d on d.oid = s.setdatabase where r.rolname = $1::text`;

const ownPrepared = sql`
select gid from pg_catalog.pg_prepared_xacts
where owner = $1::text and database = pg_catalog.current_database()`;

/** Who had the former password may still be connected with it; a function connects again by itself. */
const endOwnOthers = sql`
with others as materialized (select pid from pg_catalog.pg_stat_activity
  where usename = session_user and pid <> pg_catalog.pg_backend_pid())
select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) as ended from others`;

async function clearOwn(session: OpenSession, username: string): Promise<void> {
  const step = "clear what the login left";
  const settings = await session.rows<{ database: string | null }>(step, ownSettings, [username]);
  await session.apply(
    step,
    settings.map(({ database }) =>
      database === null
        ? sql`alter role ${ident(username)} reset all`
        : sql`alter role ${ident(username)} in database ${ident(database)} reset all`,
    ),
  );
  for (const { gid } of await session.rows<{ gid: string }>(step, ownPrepared, [username]))
    await session.rows(step, sql`rollback prepared ${literal(gid)}`);
}

const sessionOf = (session: OpenSession): RotationSession => ({
  setOwnPassword: async (username, password, { clear }) => {
    if (clear) await clearOwn(session, username);
    const verifier = await scramVerifier(password);
    try {
      await session.applyUnlogged("set the own password", [
        sql`alter role ${ident(username)} password ${literal(verifier)}`,
      ]);
      if (clear) await session.rows("end the login's other sessions", endOwnOthers);
    } catch (error) {
      if (!(error instanceof StatementRejectedError)) throw error;
      throw new ConfigError(
        `${username} may not change its own password (code ${error.engineCode}), and it stays as it was; on RDS with rds.restrict_password_commands have a DBA run: GRANT rds_password TO ${ident(username)};`,
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
          `the login cannot run testQueries[${i}] (code ${error.engineCode}); grant what it needs, or correct the query in the configuration`,
          { cause: error },
        );
      }
  },
  end: () => session.end(),
});
