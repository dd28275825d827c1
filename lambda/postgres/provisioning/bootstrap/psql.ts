import { ConfigError } from "../../../../core/errors.ts";
import { literal, type Sql, sql } from "../../connection/sql.ts";

/** A line or block of a psql script: SQL with its semicolon, a meta-command or a comment. */
export type Piece = string;

/** Comments on lines of their own. Names in them must be {@link inComment}. */
export const comment = (...lines: readonly string[]): Piece =>
  lines.map((line) => `-- ${line}`.trimEnd()).join("\n");

/** A piece with its comment above it. */
export const about = (lines: readonly string[], piece: Piece): Piece =>
  `${comment(...lines)}\n${piece}`;

/** A name for a comment, which cannot end the line. */
export const inComment = (name: string): string => JSON.stringify(name);

/** Statements one after the other. */
export const statements = (...list: readonly Sql[]): Piece =>
  list.map((each) => `${each};`).join("\n");

/** Run a query, then each of its values as a statement. `null` is skipped. */
export const eachValueOf = (query: Sql): Piece => `${query.trim()}\n\\gexec`;

/** Run a statement if a condition holds; also works for statements that a block cannot contain. */
export const runIf = (condition: Sql, statement: Sql): Piece =>
  eachValueOf(sql`select ${literal(statement)}\nwhere ${condition}`);

/** PL/pgSQL statements in a DO block. Names in them must pass {@link assertWritable}. */
export const block = (...body: readonly Sql[]): Piece =>
  ["do $mf$ begin", ...body.map((each) => `  ${each}`), "end $mf$;"].join("\n");

/**
 * Connect to another database of the same server, with a safe search path. The name is put into a
 * connection string, because psql would parse a name with `=` as one.
 */
export function connectTo(database: string): Piece {
  const value = database.replaceAll(/['\\]/g, "\\$&");
  const argument = /^[a-z_][a-z0-9_]*$/.test(database)
    ? database
    : `-reuse-previous=on "dbname='${value.replaceAll('"', '""')}'"`;
  return `\\connect ${argument}\n${PINNED}`;
}

/** Prevents an application's functions and operators from running with the DBA's privileges. */
export const PINNED: Piece = "set search_path = pg_catalog, pg_temp;";

/**
 * Refuse names that a script cannot contain: psql reads meta-commands by line, and a PL/pgSQL body
 * ends at its tag.
 *
 * @throws ConfigError with the name.
 */
export function assertWritable(
  databases: readonly string[],
  others: readonly string[],
): asserts databases {
  const wrong =
    databases.find((name) => /[\r\n]/.test(name)) ??
    [...databases, ...others].find((name) => name.includes("$mf$"));
  if (wrong === undefined) return;
  throw new ConfigError(
    `the name ${JSON.stringify(wrong)} cannot stand in a psql script: a database's has no line break, and none has "$mf$" in it; rename it`,
  );
}
