import type { TrustCondition, TrustStatement } from "./identity-facts.ts";

/** Whether a request meets a condition. `unknown`: its operator or key is not known here. */
export type Answer = "met" | "unmet" | "unknown";

/** What a request says under a condition's key. Empty: it has no such key. Undefined: not known. */
export type RequestKeys = (key: string) => readonly string[] | undefined;

/** IAM's patterns: `*` and `?`. */
export function isLike(pattern: string, value: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s").test(value);
}

/** IAM compares each of the six parts of an ARN, also under ArnEquals. */
function isArnLike(pattern: string, value: string): boolean {
  const partsOf = (arn: string): readonly string[] => {
    const parts = arn.split(":");
    return [...parts.slice(0, 5), parts.slice(5).join(":")];
  };
  const given = partsOf(value);
  return partsOf(pattern).every((part, at) => isLike(part, given[at] ?? ""));
}

/** An operator of IAM, taken apart. */
interface Operator {
  readonly set: "any" | "all" | undefined;
  readonly isNegated: boolean;
  readonly isIfExists: boolean;
  readonly takesPatterns: boolean;
  readonly fits: (wanted: string, given: string) => boolean;
}

const OPERATOR =
  /^(?:for(any|all)values?:)?(string|arn|bool)(not)?(equalsignorecase|equals|like|)(ifexists)?$/i;

const same = (one: string, other: string): boolean => one === other;
const sameLetters = (one: string, other: string): boolean =>
  one.toLowerCase() === other.toLowerCase();

function operatorIn(text: string): Operator | undefined {
  const parts = OPERATOR.exec(text);
  if (parts === null) return undefined;
  const [set, type = "", not, comparison = "", ifExists] = parts
    .slice(1)
    .map((each) => each?.toLowerCase());
  if ((type === "bool") !== (comparison === "")) return undefined;
  const isArn = type === "arn";
  const takesPatterns = isArn || comparison === "like";
  return {
    set: set === "any" || set === "all" ? set : undefined,
    isNegated: not !== undefined,
    isIfExists: ifExists !== undefined,
    takesPatterns,
    fits: isArn ? isArnLike : takesPatterns ? isLike : comparison === "equals" ? same : sameLetters,
  };
}

/** Whether a condition is met by what the request says under its key. */
export function answerOf(
  { operator: text, key, values: wanted }: TrustCondition,
  request: RequestKeys,
): Answer {
  const given = request(key);
  if (given === undefined) return "unknown";
  const answer = (isMet: boolean): Answer => (isMet ? "met" : "unmet");
  if (/^null$/i.test(text))
    return answer(wanted.some((each) => (each.toLowerCase() === "true") === (given.length === 0)));
  const operator = operatorIn(text);
  // a variable stands for what only the request knows
  if (operator === undefined || wanted.some((each) => each.includes("${"))) return "unknown";
  const { set, isNegated, isIfExists, fits } = operator;
  if (given.length === 0)
    return answer(isIfExists || set === "all" || (isNegated && set === undefined));
  const holds = (value: string): boolean => wanted.some((each) => fits(each, value)) !== isNegated;
  const isForAll = set === "all" || (set === undefined && isNegated);
  return answer(isForAll ? given.every(holds) : given.some(holds));
}

/** Whether a condition lets in nothing but whole values that it lists. */
export function isExact({ operator: text, values }: TrustCondition): boolean {
  const operator = operatorIn(text);
  if (operator === undefined || values.length === 0) return false;
  const { set, isNegated, isIfExists, takesPatterns } = operator;
  if (isNegated || isIfExists || set === "all") return false;
  return !values.some((each) => each.includes("${") || (takesPatterns && /[*?]/.test(each)));
}

/** Whether a condition's operator knows patterns. */
export const takesPatterns = ({ operator }: TrustCondition): boolean =>
  operatorIn(operator)?.takesPatterns ?? false;

/** Whether a condition lets in what it does not list. */
export const isNegated = ({ operator }: TrustCondition): boolean =>
  operatorIn(operator)?.isNegated ?? false;

export const conditionInWords = ({ operator, key, values }: TrustCondition): string =>
  `${operator} ${key} ${values.join(", ")}`;

/** Whether a statement is about an action. IAM does not tell upper from lower case there. */
export const isAbout = ({ actions }: TrustStatement, action: string): boolean =>
  actions.some((each) => isLike(each.toLowerCase(), action.toLowerCase()));

/** Whether a statement names everybody. */
export const isForEverybody = ({ principals }: TrustStatement): boolean =>
  principals.some(({ value }) => value === "*");

/** A statement that denies a request, or may. */
export interface Denial {
  readonly statement: TrustStatement;
  /** Those that nobody here can decide. Empty: it does deny. */
  readonly undecided: readonly TrustCondition[];
}

/** Statements, of those that are about it and its principal, by which a request is denied. */
export const denialsIn = (
  statements: readonly TrustStatement[],
  request: RequestKeys,
): readonly Denial[] =>
  statements
    .filter(({ effect }) => effect === "Deny")
    .filter(({ conditions }) => conditions.every((each) => answerOf(each, request) !== "unmet"))
    .map((statement) => ({
      statement,
      undecided: statement.conditions.filter((each) => answerOf(each, request) === "unknown"),
    }));
