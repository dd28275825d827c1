import type { ConnectionOptions } from "node:tls";
import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type {
  RotationServers,
  RotationSession,
  ServerLogin,
} from "../../../core/rotation/rotation-ports.ts";
import { seconds } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";
import { atLogin, loginTriggersOf } from "../connection/login-triggers.ts";
import { scramVerifier } from "../connection/scram.ts";
import { type OpenSession, openSession } from "../connection/session.ts";
import { ident, literal, sql } from "../connection/sql.ts";
import {
  CLOSED_DATABASE,
  DENIED,
  NO_DATABASE,
  NOT_AUTHORIZED,
  WRONG_PASSWORD,
} from "../connection/sqlstates.ts";
import { problem } from "../provisioning/check/problems.ts";
import { compareUsers } from "./compare-users.ts";
import { convergeNextUser } from "./next-user.ts";
import { resetSettings } from "./role-settings.ts";

/** A step has 60 seconds, and at most three logins. */
export const ROTATION_LIMITS: Limits = {
  connect: seconds(5),
  statement: seconds(10),
  lock: seconds(5),
};

/** SQLSTATEs of a refused login: wrong password, NOLOGIN, no such user. */
const REFUSED: ReadonlySet<string> = new Set([WRONG_PASSWORD, NOT_AUTHORIZED]);

/** PostgreSQL servers as {@link RotationServers}. */
export const rotationServers = (
  ssl: (host: string) => ConnectionOptions | false,
  open: typeof openSession = openSession,
): RotationServers => ({
  logIn: async (wanted) => {
    const { host, port, dbname, username, password } = wanted;
    const login = { host, port, database: dbname, username, password, ssl: ssl(host) };
    try {
      return sessionOf(await open(login, ROTATION_LIMITS));
    } catch (error) {
      if (!(error instanceof StatementRejectedError)) throw error;
      if (REFUSED.has(error.engineCode)) return { refused: error.engineCode };
      const look = () => loginTriggersOf(open, login, ROTATION_LIMITS);
      throw new ConfigError(await failureOf(error.engineCode, wanted, look), { cause: error });
    }
  },
});

/** Why a user with the right password has no session, and the remedy. */
async function failureOf(
  code: string,
  { host, dbname, username, ofApplication }: ServerLogin,
  look: () => ReturnType<typeof loginTriggersOf>,
): Promise<string> {
  if (code === NO_DATABASE)
    return `${host} has no database "${dbname}" (code ${code}); correct the secret's dbname`;
  if (code === CLOSED_DATABASE)
    return problem(
      `${host} lets nobody into the database "${dbname}" (code ${code})`,
      sql`ALTER DATABASE ${ident(dbname)} ALLOW_CONNECTIONS true`,
    );
  const triggers = ofApplication ? await look() : [];
  if (code === DENIED && triggers.length === 0)
    return `${username} is known to ${host}, but may not connect to the database "${dbname}" (code ${code}); grant CONNECT, or correct the secret's dbname; where it has CONNECT, ${atLogin(triggers)}`;
  return `${username} is known to ${host}, and its session in the database "${dbname}" fails as it begins (code ${code}): ${atLogin(triggers)}`;
}

const ownPrepared = sql`
select gid from pg_catalog.pg_prepared_xacts
where owner = $1::text and database = pg_catalog.current_database()`;

/**
 * End other sessions of the login, which may use the former password; functions reconnect by
 * themselves.
 */
const endOwnOthers = sql`
with others as materialized (select pid from pg_catalog.pg_stat_activity
  where usename = session_user and pid <> pg_catalog.pg_backend_pid())
select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) as ended from others`;

async function clearOwn(session: OpenSession, username: string): Promise<void> {
  const step = "clear what the login left";
  await resetSettings(session, step, [username]);
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
  convergeNextUser: (user) => convergeNextUser(session, user),
  actsAs: async () => {
    const [row] = await session.rows<{ role: string }>(
      "ask for the current role",
      sql`select current_user::text as role`,
    );
    return row?.role ?? "";
  },
  compareUsers: (comparison) => compareUsers(session, comparison),
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
