import { validationError } from "./aws-error.ts";
import { CONSTRAINTS, type Constraint, type Range } from "./constraints.ts";

/** Each violation of AWS's constraints in a request, in AWS's words. */
export function* constraintFaults(
  service: string,
  operation: string,
  request: unknown,
): Generator<string> {
  for (const [path, constraint] of Object.entries(CONSTRAINTS[service]?.[operation] ?? {}))
    for (const { value, at } of membersAt(request, path.split(".")))
      for (const what of brokenBy(constraint, value))
        yield `${shown(constraint, value)} at '${at}' failed to satisfy constraint: Member must ${what}`;
}

/**
 * Check a template's properties against the constraints of the operation that CloudFormation calls.
 *
 * @throws AwsError `ValidationException` with every violation.
 */
export function assertConstraints(service: string, operation: string, request: unknown): void {
  const faults = [...constraintFaults(service, operation, request)];
  if (faults.length > 0) throw validationError(detected(faults));
}

/** AWS's sentence for a request with violations. */
export const detected = (faults: readonly string[]): string =>
  `${faults.length === 1 ? "1 validation error" : `${faults.length} validation errors`} detected: ${faults.join("; ")}`;

interface Member {
  readonly value: unknown;
  /** As AWS names it: `filters.1.member.key`, with a small letter at each step. */
  readonly at: string;
}

/** The members at a path of a request. Missing members are left out. */
function* membersAt(
  value: unknown,
  [step = "", ...rest]: readonly string[],
  above = "",
): Generator<Member> {
  const name = step.replace("[]", "");
  const member: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  if (member === undefined || member === null) return;
  const at = `${above}${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  const found: readonly Member[] = !step.endsWith("[]")
    ? [{ value: member, at }]
    : Array.isArray(member)
      ? member.map((each: unknown, i) => ({ value: each, at: `${at}.${i + 1}.member` }))
      : [];
  for (const each of found)
    if (rest.length === 0) yield each;
    else yield* membersAt(each.value, rest, `${each.at}.`);
}

function* brokenBy(constraint: Constraint, value: unknown): Generator<string> {
  const { length, range, pattern, values } = constraint;
  if (length !== undefined) {
    const size = Array.isArray(value) ? value.length : String(value).length;
    yield* outside(length, size, "length");
  }
  // a form and a template give numbers as text
  if (range !== undefined) yield* outside(range, Number(value), "value");
  if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(String(value)))
    yield `satisfy regular expression pattern: ${pattern}`;
  if (values !== undefined && !values.includes(String(value)))
    yield `satisfy enum value set: [${values.join(", ")}]`;
}

function* outside({ min, max }: Range, size: number, of: string): Generator<string> {
  if (min !== undefined && !(size >= min)) yield `have ${of} greater than or equal to ${min}`;
  if (max !== undefined && !(size <= max)) yield `have ${of} less than or equal to ${max}`;
}

const shown = ({ isSecret }: Constraint, value: unknown): string =>
  isSecret !== true && (typeof value === "string" || typeof value === "number")
    ? `Value '${value}'`
    : "Value";
