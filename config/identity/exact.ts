import * as v from "valibot";
import { hasWildcard } from "../../core/aws/trust/web-identity.ts";
import { type Field, type Report, says } from "../schema/fields.ts";

/** One exact value of a trust policy's condition. */
interface ExactValue {
  readonly pattern: RegExp;
  /** What is wrong with a text that does not match. */
  readonly fault: string;
  readonly remedy: string;
  /** Who could ask if wildcards were allowed. */
  readonly anybody: string;
}

/** A text for a condition: it matches a pattern, and stands for itself alone. */
export function exact({ pattern, fault, remedy, anybody }: ExactValue): Field<string> {
  const wrong = says(fault, remedy);
  const faultOf = (text: string): string | undefined => {
    if (hasWildcard(text)) return says(`has a wildcard, and then ${anybody} could ask`, remedy);
    return pattern.test(text) ? undefined : wrong;
  };
  return v.pipe(
    v.string(wrong),
    v.check(
      (text) => faultOf(text) === undefined,
      ({ input }) => faultOf(input) ?? wrong,
    ),
  );
}

/** Refuse an object that has none of these keys, or several. */
export function checkOneOf(
  fields: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  example: string,
  report: Report,
): void {
  const given = keys.filter((key) => fields[key] !== undefined);
  if (given.length === 1) return;
  const found = given.length === 0 ? "" : `, and has ${given.join(" and ")}`;
  report([], `needs exactly one of ${keys.join(", ")}${found}; write e.g. ${example}`);
}
