import { ConfigError } from "../../../../core/errors.ts";
import { UNSEEN } from "../../../../core/visible.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";

/** Names and statements in one message. */
export const NAMED_AT_MOST = 20;

/** Whether a name contains invisible characters. */
export const isHidden = (name: string): boolean => name.search(UNSEEN) !== -1;

/** A name for a message, escaped: a name may imitate a line of Mayfly's messages. */
const shown = (name: string): string =>
  !isHidden(name) ? name : JSON.stringify(name).replace(UNSEEN, escapeOf);

const codeOf = (letter: string): string => (letter.codePointAt(0) ?? 0).toString(16);
const escapeOf = (letter: string): string => `\\u{${codeOf(letter)}}`;

/** A string in one of three spellings, an identifier, white space (PostgreSQL 4.1). */
const LEXEME =
  /(?<![\w$])\$(?<tag>[A-Za-z_]\w*|)\$[\s\S]*?\$\k<tag>\$|(?<![\w$])[eE]'(?:[^'\\]|''|\\[\s\S])*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|[\t\n\v\f\r ]+/g;

const escapedIn = (name: string): string =>
  `U&${name.replaceAll("\\", "\\\\").replace(UNSEEN, (letter) => `\\+${codeOf(letter).padStart(6, "0")}`)}`;

/** Inside of E'': `\u000a`, or `\U000e0001`. */
const escapeInString = (letter: string): string => {
  const code = codeOf(letter);
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
};

function lexemeOnOneLine(lexeme: string): string {
  if (!isHidden(lexeme)) return lexeme;
  switch (lexeme[0]) {
    case '"':
      return escapedIn(lexeme);
    case "'":
      return ` E${lexeme.replaceAll("\\", "\\\\").replace(UNSEEN, escapeInString)}`;
    case "$":
      return lexeme;
    case "e":
    case "E":
      // a backslash before such a letter means the letter itself
      return lexeme.replace(/\\[\s\S]|[^\\]/gu, (part) => {
        const letter = part.startsWith("\\") ? part.slice(1) : part;
        return isHidden(letter) ? escapeInString(letter) : part;
      });
    default:
      return " ";
  }
}

/**
 * The same SQL on one line, with no character that is not seen: PostgreSQL's escapes stand for them
 * in identifiers (4.1.1) and in strings (4.1.2.2). A dollar-quoted string stays as it is.
 */
export const onOneLine = (remedy: Sql): string => remedy.replace(LEXEME, lexemeOnOneLine);

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
