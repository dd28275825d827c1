import { ConfigError } from "../../../../core/errors.ts";
import { joined, type Sql, sql } from "../../connection/sql.ts";

const NAMED_AT_MOST = 20;

/** One thing that stands in the way: what it is, and the SQL with which a DBA removes it. */
export const problem = (what: string, remedy: Sql): string => `${what}; have a DBA run: ${remedy};`;

/** Some names for a message: never more than twenty, since CloudFormation cuts long reasons. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - NAMED_AT_MOST;
  return names.slice(0, NAMED_AT_MOST).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Pieces of SQL in a comma-separated list. */
export const listed = (pieces: readonly Sql[]): Sql => joined(pieces, sql`, `);

/** @throws ConfigError with all problems, one a line, when there is any. */
export function refuseIf(problems: readonly string[], introduction: string): void {
  if (problems.length === 0) return;
  throw new ConfigError([`${introduction}:`, ...problems.map((each) => `- ${each}`)].join("\n"));
}
