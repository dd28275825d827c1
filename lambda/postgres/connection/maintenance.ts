import type pg from "pg";
import { fromPgError, isUnanswered, sqlStateOf } from "./from-pg-error.ts";
import type { Login } from "./login.ts";
import type { Sql } from "./sql.ts";
import { CONNECTION_LOST, READ_ONLY, WRONG_PASSWORD } from "./sqlstates.ts";

/** The source of the login. `fresh` reads the secret again instead of the cached copy. */
export type LoginSource = (options: { readonly fresh: boolean }) => Promise<Login>;

/** A named statement with `$1` parameters, which a connection parses once. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: Sql;
  readonly values: readonly unknown[];
}

/** The part of a connection that is used here. */
export type Connection = Pick<pg.Client, "query" | "end">;

/** Opens one connection. */
export type Open = (login: Login) => Promise<Connection>;

/** Two rotations may follow each other, and each ends sessions with a former password. */
const ATTEMPTS = 3;
/**
 * Attempts after a timeout: each waits for the whole statement time, and a third would exceed the
 * function's time.
 */
const ATTEMPTS_UNANSWERED = 2;

/**
 * The single warm connection of a function instance to the maintenance database.
 *
 * Statements must be safe to repeat: after a lost connection, or if the server has become
 * read-only, a statement is sent again over a new connection, even if the first one took effect.
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
   * Send one statement as its own transaction, in one round trip. Values are bound, never part of
   * the text. A named statement is parsed once per connection.
   *
   * @param tell SQLSTATEs whose errors are thrown unchanged.
   * @returns its rows.
   * @throws MayflyError for everything else.
   */
  async query<Row>(
    step: string,
    statement: Sql | PreparedStatement,
    tell: ReadonlySet<string> = new Set(),
  ): Promise<readonly Row[]> {
    for (let attempt = 1; ; attempt++) {
      // converted once, even if several calls wait for it
      this.#connection ??= this.#connect().catch((error: unknown) => {
        throw fromPgError("connect", error);
      });
      const mine = this.#connection;
      const connection = await this.#connected(mine);
      try {
        const { rows }: pg.QueryResult = await connection.query(queryOf(statement));
        return rows as Row[];
      } catch (error) {
        const code = sqlStateOf(error);
        const lost = code === undefined || code === READ_ONLY || CONNECTION_LOST.test(code);
        if (lost) this.#abandon(mine);
        if (lost && attempt < mostAttempts(error)) continue;
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

  /** Drop a connection that may never answer again, unless it was already replaced. */
  #abandon(connection: Promise<Connection>): void {
    if (this.#connection === connection) this.#connection = undefined;
    void end(connection);
  }

  async #connected(connection: Promise<Connection>): Promise<Connection> {
    try {
      return await connection;
    } catch (error) {
      this.#abandon(connection);
      throw error;
    }
  }

  async #connect(): Promise<Connection> {
    try {
      return await this.#open(await this.#loginOf({ fresh: false }));
    } catch (error) {
      const code = sqlStateOf(error) ?? "";
      // a rotation is changing the password: it ends sessions with the former one
      if (code !== WRONG_PASSWORD && !CONNECTION_LOST.test(code)) throw error;
      return this.#open(await this.#loginOf({ fresh: true }));
    }
  }
}

const mostAttempts = (error: unknown): number =>
  isUnanswered(error) ? ATTEMPTS_UNANSWERED : ATTEMPTS;

const queryOf = (statement: Sql | PreparedStatement): pg.QueryConfig =>
  typeof statement === "string"
    ? { text: statement }
    : { ...statement, values: [...statement.values] };

const end = async (connection: Promise<Connection> | undefined): Promise<void> => {
  await connection?.then((open) => open.end()).catch(() => {});
};
