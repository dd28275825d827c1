import { ConfigError } from "../core/errors.ts";

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null)
    for (const inner of Object.values(Object.freeze(value))) freeze(inner);
  return value;
}

/** Throw one ConfigError with all problems, one a line, or return the frozen result. */
export function finish<T>(value: T, problems: readonly string[]): T {
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return freeze(value);
}
