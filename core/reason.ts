import { MayflyError } from "./errors.ts";

/** What may be told of anything that was thrown: our own words, or the name of what is not ours. */
export function reasonOf(error: unknown): string {
  if (error instanceof MayflyError) return error.message;
  return error instanceof Error ? error.name : "unknown";
}

/** An error as answers and audit lines tell it. */
export interface ErrorFacts {
  readonly errorType: string;
  /** What failed, the value, the remedy; of a bug where its stack frames are. */
  readonly reason: string;
}

/** What an answer tells of anything that was thrown. */
export function factsOf(error: unknown): ErrorFacts {
  if (error instanceof MayflyError) return { errorType: error.name, reason: error.message };
  return {
    errorType: "InternalError",
    reason: `it failed unexpectedly (${reasonOf(error)}); the function's log has the stack frames in the line that names it`,
  };
}

/** What an audit line tells of anything that was thrown: of a bug, the stack frames too. */
export function auditedFacts(error: unknown): ErrorFacts & { readonly frames?: readonly string[] } {
  const facts = factsOf(error);
  return error instanceof MayflyError ? facts : { ...facts, frames: framesOf(error) };
}

/** The stack without its first lines, which hold the message. */
export const framesOf = (error: unknown): readonly string[] =>
  (error instanceof Error ? (error.stack ?? "") : "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line));
