import type pg from "pg";
import { fromPgError, sqlStateOf } from "./from-pg-error.ts";
import type { Login } from "./login.ts";
import type { Sql } from "./sql.ts";

/** Where the login comes from. `fresh` reads the secret again instead of the copy in memory. */
export type LoginSource = (options: { readonly fresh: boolean }) => Promise<Login>;

/** A connection as far as it is used here. */
export type Connection = Pick<pg.Client, "query" | "end">;

/** Opens one connection; tests count what goes through it. */
export type Open = (login: Login) => Promise<Connection>;

/** SQLSTATE of a refused password: it may have been rotated since the secret was read. */
const WRONG_PASSWORD = "28P01";
/** SQLSTATE of writing on a server that has become a standby. */
const READ_ONLY = "25006";
const CONNECTION_LOST = /^(08...|57P0[1-5])$/;

/**
 * The one warm connection of a function instance to the maintenance database.
 *
 * Statements must be safe to repeat: after a lost connection, or on a server that has become
 * read-only, a statement is sent once more over a new one, whatever became of the first.
 */
export class Maintenance {
  readonly #loginOf: LoginSource;
  readonly #open: Open;
  #connection: Promise<Connection> | undefined;

  constructor(loginOf: LoginSource, open: Open) {
    this.#loginOf = loginOf;
    this.#open = open;
  }

  /**
   * Send one simple query: its statements are one implicit transaction, and nothing it sets with
   * SET LOCAL outlives it, so no caller finds another's state on this connection.
   *
   * @param tell SQLSTATEs whose error the caller wants to see as it is.
   * @returns the rows of its last statement.
   * @throws MayflyError for everything else.
   */
  async query<Row>(
    step: string,
    statement: Sql,
    tell: ReadonlySet<string> = new Set(),
  ): Promise<readonly Row[]> {
    for (let attempt = 1; ; attempt++) {
      this.#connection ??= this.#connect();
      const mine = this.#connection;
      const connection = await this.#connected(mine);
      try {
        const result: unknown = await connection.query(statement);
        const last = Array.isArray(result) ? result.at(-1) : result;
        return unlessFailed((last as pg.QueryResult).rows as Row[]);
      } catch (error) {
        const code = sqlStateOf(error);
        const lost = code === undefined || code === READ_ONLY || CONNECTION_LOST.test(code);
        if (lost) this.#abandon(mine);
        if (lost && attempt === 1) continue;
        throw code !== undefined && tell.has(code) ? error : fromPgError(step, error);
      }
    }
  }

  /** End the connection in order; the next statement opens another. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await end(connection);
  }

  /** Leave a connection that may never answer again, but not the one that has replaced it. */
  #abandon(connection: Promise<Connection>): void {
    if (this.#connection === connection) this.#connection = undefined;
    void end(connection);
  }

  async #connected(connection: Promise<Connection>): Promise<Connection> {
    try {
      return await connection;
    } catch (error) {
      this.#abandon(connection);
      throw fromPgError("connect", error);
    }
  }

  async #connect(): Promise<Connection> {
    try {
      return await this.#open(await this.#loginOf({ fresh: false }));
    } catch (error) {
      if (sqlStateOf(error) !== WRONG_PASSWORD) throw error;
      return this.#open(await this.#loginOf({ fresh: true }));
    }
  }
}

/**
 * A statement that holds a verifier must not fail, or the server would log its text: it answers with
 * the SQLSTATE in its column `outcome`, which is thrown here as the driver would have.
 */
function unlessFailed<Row>(rows: readonly Row[]): readonly Row[] {
  const { outcome } = (rows[0] ?? {}) as { outcome?: unknown };
  const [kind, code] = typeof outcome === "string" ? outcome.split(" ") : [];
  if (kind === "failed") throw Object.assign(new Error("the statement caught an error"), { code });
  return rows;
}

const end = async (connection: Promise<Connection> | undefined): Promise<void> => {
  await connection?.then((open) => open.end()).catch(() => {});
};
