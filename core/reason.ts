import { MayflyError } from "./errors.ts";

/**
 * A safe description of anything that was thrown: Mayfly's own message, or the name of any other
 * error.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof MayflyError) return error.message;
  return error instanceof Error ? error.name : "unknown";
}

/** An error in answers and audit lines. */
export interface ErrorFacts {
  readonly errorType: string;
  /** What failed, the value, the remedy; for a bug, where to find its stack frames. */
  readonly reason: string;
}

/** The description of an error in an answer. */
export function factsOf(error: unknown): ErrorFacts {
  if (error instanceof MayflyError) return { errorType: error.name, reason: error.message };
  return {
    errorType: "InternalError",
    reason: `it failed unexpectedly (${reasonOf(error)}); the function's log has the stack frames in the line that names it`,
  };
}

/** The description of an error in an audit line; for a bug with the stack frames. */
export function auditedFacts(error: unknown): ErrorFacts & { readonly frames?: readonly string[] } {
  const facts = factsOf(error);
  return error instanceof MayflyError ? facts : { ...facts, frames: framesOf(error) };
}

/** The stack without its first lines, which contain the message. */
export const framesOf = (error: unknown): readonly string[] =>
  (error instanceof Error ? (error.stack ?? "") : "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line));
