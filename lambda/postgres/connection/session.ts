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

/** A connection on which steps of provisioning and of rotations run. */
export interface Session {
  /** Rows of one query, which may have `$1` parameters. */
  rows<Row extends object>(step: string, query: Sql, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Run statements in one transaction; none at all does nothing. Repeated when another
   * transaction got in the way, as two stacks on one cluster may.
   *
   * @throws StatementRejectedError also when PostgreSQL merely warned that a GRANT or REVOKE had
   *   no effect (code 01007, 01006): then nothing is committed.
   */
  apply(step: string, statements: readonly Sql[]): Promise<void>;
  /** As `apply`, and undo it. Warnings are none of its business. */
  rehearse(step: string, statements: readonly Sql[]): Promise<void>;
  /** Whether statements would be let through: they run in a transaction that is rolled back. */
  permits(step: string, statements: readonly Sql[]): Promise<boolean>;
  /** Run one statement that PostgreSQL allows in no transaction; errors in `fine` are no errors. */
  alone(step: string, statement: Sql, fine: ReadonlySet<string>): Promise<void>;
}

/** A session that its opener ends. */
export interface OpenSession extends Session {
  /**
   * As `apply`, for statements with a verifier, as the user who logged in: nothing of it fails in the
   * server's eyes, which would log the text of what does.
   */
  applyUnlogged(step: string, statements: readonly Sql[]): Promise<void>;
  /** Run one statement in a transaction that is rolled back. */
  tryOut(step: string, statement: string): Promise<void>;
  end(): Promise<void>;
}

const connectStep = ({ database }: Pick<Login, "database">): string => `connect to ${database}`;

/** Whether a login was refused by a database, for another reason than its password. */
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
    return `have a DBA run: ${sql`GRANT CONNECT ON DATABASE ${base} TO ${role}`}; or, where it has that, mend the login event trigger that refuses it (PostgreSQL 17 and newer)`;
  return `a login event trigger of the database ${base} failed (PostgreSQL 17 and newer): mend its function, or have a DBA run: ${sql`ALTER ROLE ${role} IN DATABASE ${base} SET event_triggers = off`};`;
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
          // named, it goes by the protocol that takes one statement, which cannot commit and go on
          await client.query({ name: step, text });
        } finally {
          await client.query("rollback");
        }
      }),
    end: () => client.end().catch(() => {}),
  };
}

/** What the statements failed with, if they did; of this transaction alone. */
const failure = sql`
select nullif(pg_catalog.current_setting('mayfly.failed', true), '') as code`;

/** Identifiers, which others may have chosen, must not end the body: its tag is one that they lack. */
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
    // a user may act as another role from the start of its sessions
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

/** Two stacks on one cluster get into each other's way for moments. */
const repeated = (run: () => Promise<void>): Promise<void> => retried(CHANCE, CONFLICT, run);

const CHANCE: RetryDeps = { time: { wait: (length) => delay(length) }, random: Math.random };
