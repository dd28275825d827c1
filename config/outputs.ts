import type { Report } from "./schema/fields.ts";
import type { Key } from "./schema/problems.ts";

/** `user-service` as CloudFormation outputs spell it: `UserService`. */
export const pascal = (name: string): string =>
  name
    .split("-")
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("");

/** Refuses names that differ only in hyphens: they would share an output. */
export function checkOutputs(
  names: readonly (readonly [path: readonly Key[], spelled: string, shown: string])[],
  report: Report,
): void {
  const seen = new Map<string, string>();
  for (const [path, spelled, shown] of names) {
    const output = pascal(spelled);
    const other = seen.get(output);
    if (other !== undefined)
      report(
        path,
        `"${shown}" and "${other}" are both "${output}" in the stack's outputs; rename one`,
      );
    seen.set(output, shown);
  }
}
