import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { StatementRejectedError } from "../../../core/errors.ts";
import { fromPgError, sqlStateOf } from "./from-pg-error.ts";
import { connect, type Limits, type Login } from "./login.ts";
import { type RetryDeps, retried } from "./retry.ts";
import { ident, integer, joined, type Sql, sql } from "./sql.ts";
import {
  CONFLICT,
  DENIED,
  NO_DATABASE,
  NOT_AUTHORIZED,
  POWERLESS,
  REFUSED,
  WRONG_PASSWORD,
} from "./sqlstates.ts";

/** PostgreSQL 16 split memberships into ADMIN, INHERIT and SET. */
export const SPLIT_MEMBERSHIP = 160_000;

/** A connection for steps of provisioning and of rotations. */
export interface Session {
  /** Rows of one query, which may have `$1` parameters. */
  rows<Row extends object>(step: string, query: Sql, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Run statements in one transaction; an empty list does nothing. Repeated after contention, for
   * example of two stacks on one cluster.
   *
   * @throws StatementRejectedError also when PostgreSQL merely warned that a GRANT or REVOKE had
   *   no effect (code 01007, 01006): then nothing is committed.
   */
  apply(step: string, statements: readonly Sql[]): Promise<void>;
  /** Like `apply`, but roll back. Ignores warnings. */
  rehearse(step: string, statements: readonly Sql[]): Promise<void>;
  /** Whether statements would be allowed: they run in a transaction that is rolled back. */
  permits(step: string, statements: readonly Sql[]): Promise<boolean>;
  /**
   * Run one statement that PostgreSQL does not allow in a transaction. SQLSTATEs in `fine` are
   * ignored.
   */
  alone(step: string, statement: Sql, fine: ReadonlySet<string>): Promise<void>;
}

/** A session that its opener must end. */
export interface OpenSession extends Session {
  /**
   * Like `apply`, as the session's user, for statements with a verifier. The server sees no error,
   * because it would log the text of a failed statement.
   */
  applyUnlogged(step: string, statements: readonly Sql[]): Promise<void>;
  /** Run one statement in a transaction that is rolled back. */
  tryOut(step: string, statement: string): Promise<void>;
  end(): Promise<void>;
}

const connectStep = ({ database }: Pick<Login, "database">): string => `connect to ${database}`;

/** Whether a database refused a login for another reason than its password. */
export const isRefusedEntry = (error: unknown, database: string): error is StatementRejectedError =>
  error instanceof StatementRejectedError &&
  error.step === connectStep({ database }) &&
  error.engineCode !== WRONG_PASSWORD;

/** What lets a login in that was refused. */
function remedyOfEntry(
  { username, database }: Pick<Login, "username" | "database">,
  code: string,
): string {
  const [role, base] = [ident(username), ident(database)];
  if (code === WRONG_PASSWORD)
    return `the server refuses the password of ${role}: put the right one into the secret of this login`;
  if (code === NO_DATABASE)
    return `the server has no database ${base}: create it, or correct its name`;
  if (code === NOT_AUTHORIZED)
    return `pg_hba.conf must have a line that lets ${role} into the database ${base} with a password, and ${role} must be allowed to log in`;
  if (code === DENIED)
    return `have a DBA run: ${sql`GRANT CONNECT ON DATABASE ${base} TO ${role}`}; or, if it has CONNECT, repair the login event trigger that refuses it (PostgreSQL 17 and newer)`;
  return `a login event trigger of the database ${base} failed (PostgreSQL 17 and newer): repair its function, or have a DBA run: ${sql`ALTER ROLE ${role} IN DATABASE ${base} SET event_triggers = off`};`;
}

/** Open a session; the caller ends it. @throws MayflyError naming the step `connect to <database>`. */
export async function openSession(login: Login, limits: Limits): Promise<OpenSession> {
  const step = connectStep(login);
  const client = await attempt(step, () => connect(login, limits)).catch((error: unknown) => {
    if (!(error instanceof StatementRejectedError)) throw error;
    const remedy = remedyOfEntry(login, error.engineCode);
    throw new StatementRejectedError(step, error.engineCode, { remedy });
  });
  return {
    ...sessionOn(client),
    applyUnlogged: (step, statements) =>
      attempt(step, () => repeated(() => unlogged(client, statements))),
    tryOut: (step, text) =>
      attempt(step, async () => {
        await client.query("begin");
        try {
          // a named statement uses the extended protocol, which accepts only one statement: it
          // cannot commit and go on
          await client.query({ name: step, text });
        } finally {
          await client.query("rollback");
        }
      }),
    end: () => client.end().catch(() => {}),
  };
}

/** The error of the statements, if they failed; valid in this transaction only. */
const failure = sql`
select nullif(pg_catalog.current_setting('mayfly.failed', true), '') as code`;

/**
 * Identifiers that others chose must not end the body, so its tag is one that they do not contain.
 */
function inBlock(statements: Sql): Sql {
  let tag = sql`$mf$`;
  for (let i = 1; statements.includes(tag); i++) tag = sql`$mf_${integer(i)}$`;
  return sql`
do ${tag} begin
${statements};
exception when others then
  perform pg_catalog.set_config('mayfly.failed', sqlstate, true);
end ${tag}`;
}

async function unlogged(client: pg.Client, statements: readonly Sql[]): Promise<void> {
  await client.query("begin");
  try {
    // a user's settings may make it act as another role
    await client.query("set local role none");
    await client.query(inBlock(joined(statements, sql`;\n`)));
    const { rows } = await client.query<{ code: string | null }>(failure);
    const code = rows[0]?.code ?? undefined;
    if (code !== undefined) throw Object.assign(new Error("the statements failed"), { code });
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/** Open a session, hand it to `work`, and close it whatever happens. */
export async function withSession<T>(
  login: Login,
  limits: Limits,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(login, limits);
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

async function attempt<T>(step: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw fromPgError(step, error);
  }
}

function sessionOn(client: pg.Client): Session {
  const warnings: string[] = [];
  client.on("notice", ({ code }) => {
    if (code !== undefined) warnings.push(code);
  });
  const transaction = async (
    step: string,
    body: Sql,
    end: "commit" | "rollback" = "commit",
  ): Promise<void> => {
    warnings.length = 0;
    await client.query("begin");
    try {
      await client.query(body);
      const powerless = warnings.find((code) => POWERLESS.has(code));
      if (powerless !== undefined && end === "commit")
        throw new StatementRejectedError(step, powerless);
      await client.query(end);
    } catch (error) {
      await client.query("rollback").catch(() => {});
      throw error;
    }
  };
  return {
    rows: (step, query, values) =>
      attempt(step, async () => (await client.query(query, values && [...values])).rows),
    apply: (step, statements) =>
      attempt(step, async () => {
        if (statements.length === 0) return;
        await repeated(() => transaction(step, joined(statements, sql`;\n`)));
      }),
    rehearse: (step, statements) =>
      attempt(step, () =>
        repeated(() => transaction(step, joined(statements, sql`;\n`), "rollback")),
      ),
    permits: (step, statements) =>
      attempt(step, async () => {
        await client.query("begin");
        try {
          await client.query(joined(statements, sql`;\n`));
          return true;
        } catch (error) {
          if (!REFUSED.has(sqlStateOf(error) ?? "")) throw error;
          return false;
        } finally {
          await client.query("rollback");
        }
      }),
    alone: (step, statement, fine) =>
      attempt(step, async () => {
        await client.query(statement).catch((error: unknown) => {
          if (!fine.has(sqlStateOf(error) ?? "")) throw error;
        });
      }),
  };
}

/** Two stacks on one cluster can block each other for moments. */
const repeated = (run: () => Promise<void>): Promise<void> => retried(CHANCE, CONFLICT, run);

const CHANCE: RetryDeps = { time: { wait: (length) => delay(length) }, random: Math.random };
