import { MayflyError } from "./errors.ts";

/** What may be told of anything that was thrown: our own words, or the name of what is not ours. */
export function reasonOf(error: unknown): string {
  if (error instanceof MayflyError) return error.message;
  return error instanceof Error ? error.name : "unknown";
}
