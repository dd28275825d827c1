import type { Json } from "./assembly.ts";

/** The names that intrinsic functions look up. Each method throws if it does not know the name. */
export interface Scope {
  readonly region: string;
  ref(name: string): unknown;
  attribute(logicalId: string, name: string): unknown;
  condition(name: string): boolean;
  outputOf(reference: OutputReference): string;
}

/** The argument of `Fn::GetStackOutput`. CDK writes both names as texts. */
export interface OutputReference {
  readonly StackName: string;
  readonly OutputName: string;
}

/** The value of `AWS::NoValue`. Members with this value are left out. */
export const NO_VALUE = Symbol("AWS::NoValue");

type Intrinsic = (argument: unknown, scope: Scope) => unknown;

const list = (value: unknown, scope: Scope, where: string): unknown[] => {
  const resolved = evaluate(value, scope);
  if (!Array.isArray(resolved))
    throw new Error(`${where} needs a list, got ${JSON.stringify(value)}`);
  return resolved;
};

const text = (value: unknown, scope: Scope): string => String(evaluate(value, scope));

/** `["Id", "Attribute.Of.It"]` or `"Id.Attribute.Of.It"`. */
function attributePath(argument: unknown): [string, string] {
  const [id = "", ...rest] = Array.isArray(argument)
    ? argument.map(String)
    : String(argument).split(".");
  return [id, rest.join(".")];
}

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (name, scope) => scope.ref(String(name)),
  Condition: (name, scope) => scope.condition(String(name)),
  "Fn::GetAtt": (argument, scope) => scope.attribute(...attributePath(argument)),
  "Fn::Join": (argument, scope) => {
    const [separator, parts] = argument as [string, unknown];
    return list(parts, scope, "Fn::Join").map(String).join(separator);
  },
  "Fn::Sub": (argument, scope) => {
    const [pattern, variables] = Array.isArray(argument) ? argument : [argument, {}];
    return String(pattern).replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal !== "") return `\${${name}}`;
      const variable = (variables as Json)[name];
      if (variable !== undefined) return text(variable, scope);
      return String(name.includes(".") ? scope.attribute(...attributePath(name)) : scope.ref(name));
    });
  },
  "Fn::Select": (argument, scope) => {
    const [index, values] = argument as [unknown, unknown];
    const chosen = list(values, scope, "Fn::Select")[Number(evaluate(index, scope))];
    if (chosen === undefined)
      throw new Error(`Fn::Select finds nothing in ${JSON.stringify(argument)}`);
    return chosen;
  },
  "Fn::Split": (argument, scope) => {
    const [separator, value] = argument as [string, unknown];
    return text(value, scope).split(separator);
  },
  // always the runner's own account and Region
  "Fn::GetStackOutput": (argument, scope) => scope.outputOf(argument as OutputReference),
  "Fn::GetAZs": (region, scope) =>
    ["a", "b", "c"].map((zone) => `${text(region, scope) || scope.region}${zone}`),
  "Fn::If": (argument, scope) => {
    const [condition, yes, no] = argument as [string, unknown, unknown];
    return evaluate(scope.condition(condition) ? yes : no, scope);
  },
  "Fn::Equals": (argument, scope) => {
    const [left, right] = argument as [unknown, unknown];
    return text(left, scope) === text(right, scope);
  },
  "Fn::And": (argument, scope) => list(argument, scope, "Fn::And").every(Boolean),
  "Fn::Or": (argument, scope) => list(argument, scope, "Fn::Or").some(Boolean),
  "Fn::Not": (argument, scope) => list(argument, scope, "Fn::Not")[0] === false,
};

const only = (value: unknown): readonly [string, unknown] | undefined => {
  const entries = Object.entries(value as Json);
  return entries.length === 1 ? entries[0] : undefined;
};

/**
 * `Condition` is a function inside `Conditions` only: policy statements have a member of this name.
 */
const isIntrinsic = ([name, argument]: readonly [string, unknown]): boolean =>
  name === "Ref" ||
  name.startsWith("Fn::") ||
  (name === "Condition" && typeof argument === "string");

/**
 * A template's value with every intrinsic function resolved.
 *
 * @throws Error that names an intrinsic function that the runner does not implement.
 */
export function evaluate(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value))
    return value.map((each) => evaluate(each, scope)).filter((each) => each !== NO_VALUE);
  if (value === null || typeof value !== "object") return value;
  const single = only(value);
  if (single !== undefined && isIntrinsic(single)) {
    const run = intrinsics[single[0]];
    if (run === undefined) throw new Error(`the local runner does not implement ${single[0]}`);
    return run(single[1], scope);
  }
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, each]) => [name, evaluate(each, scope)] as const)
      .filter(([, each]) => each !== NO_VALUE),
  );
}

/** The stacks in every `Fn::GetStackOutput` of a value. */
export function stacksNamedIn(value: unknown): readonly string[] {
  if (value === null || typeof value !== "object") return [];
  const [name, argument] = (Array.isArray(value) ? undefined : only(value)) ?? [];
  if (name === "Fn::GetStackOutput") return [(argument as OutputReference).StackName];
  return Object.values(value).flatMap(stacksNamedIn);
}

/** Every name in the `Ref`, `Fn::GetAtt` and `Fn::Sub` of a value. */
export function references(value: unknown): Set<string> {
  const found = new Set<string>();
  const walk = (each: unknown): void => {
    if (each === null || typeof each !== "object") return;
    const [name, argument] = (Array.isArray(each) ? undefined : only(each)) ?? [];
    if (name === "Ref") found.add(String(argument));
    if (name === "Fn::GetAtt") found.add(attributePath(argument)[0]);
    if (name === "Fn::Sub")
      for (const [, mentioned = ""] of JSON.stringify(argument).matchAll(/\$\{([^!}.]+)[^}]*\}/g))
        found.add(mentioned);
    for (const inner of Object.values(each)) walk(inner);
  };
  walk(value);
  return found;
}
