import { ConfigError } from "../../../../core/errors.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";

/** Names and statements in one message. */
export const NAMED_AT_MOST = 20;

/** Characters that would begin a new line, or reverse the text beside them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Whether a name contains invisible characters. */
export const isHidden = (name: string): boolean => name.search(UNSEEN) !== -1;

/** A name for a message, escaped: a name may imitate a line of Mayfly's messages. */
const shown = (name: string): string =>
  !isHidden(name) ? name : JSON.stringify(name).replace(UNSEEN, escapeOf);

const codeOf = (letter: string): string => (letter.codePointAt(0) ?? 0).toString(16);
const escapeOf = (letter: string): string => `\\u{${codeOf(letter)}}`;

/**
 * The same SQL on one line: identifiers with such characters use PostgreSQL's escapes (4.1.2.2).
 */
export const onOneLine = (remedy: Sql): string =>
  remedy.replace(/"(?:[^"]|"")*"/g, (name) =>
    !isHidden(name)
      ? name
      : `U&${name.replaceAll("\\", "\\\\").replace(UNSEEN, (letter) => `\\+${codeOf(letter).padStart(6, "0")}`)}`,
  );

/** One problem, and the SQL with which a DBA fixes it. */
export const problem = (what: string, remedy: Sql): string =>
  `${what.replace(UNSEEN, escapeOf)}; have a DBA run: ${onOneLine(remedy)};`;

/** Some names for a message: never more than twenty, since CloudFormation cuts long reasons. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - NAMED_AT_MOST;
  return (
    names.slice(0, NAMED_AT_MOST).map(shown).join(", ") + (rest > 0 ? ` and ${rest} more` : "")
  );
}

/** A statement that has an effect only if the given role runs it. */
export const as = (role: string, statement: Sql): Sql =>
  sql`SET ROLE ${ident(role)}; ${statement}; RESET ROLE`;

/** Pieces of SQL in a comma-separated list. */
export const listed = (pieces: readonly Sql[]): Sql => joined(pieces, sql`, `);

/** @throws ConfigError with all problems, one per line, if there are any. */
export function refuseIf(problems: readonly string[], introduction: string): void {
  if (problems.length === 0) return;
  throw new ConfigError([`${introduction}:`, ...problems.map((each) => `- ${each}`)].join("\n"));
}
