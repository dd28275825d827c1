import type { Stack } from "aws-cdk-lib";

/** What CloudFormation knows alone, at its longest. */
const LONGEST: Readonly<Record<string, number>> = {
  "AWS::AccountId": 12,
  "AWS::Partition": "aws-us-gov".length,
  "AWS::Region": "ap-southeast-99".length,
  "AWS::URLSuffix": "amazonaws.com.cn".length,
};
/** About the length of an ARN with generated names. */
const REFERENCE = 100;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written);
  if (!isRecord(value)) return value;
  const [[key, argument] = ["", undefined], ...more] = Object.entries(value);
  if (more.length === 0 && key === "Fn::Join" && Array.isArray(argument))
    return (written(argument[1]) as unknown[]).join(String(argument[0]));
  if (more.length === 0 && key === "Ref") return "x".repeat(LONGEST[String(argument)] ?? REFERENCE);
  if (more.length === 0 && key.startsWith("Fn::")) return "x".repeat(REFERENCE);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, written(each)]));
}

/**
 * Characters of a policy as IAM counts them, without spaces. What is known only at deployment counts
 * with its greatest length, names that CloudFormation generates with about theirs.
 */
export const policyLength = (stack: Stack, document: unknown): number =>
  JSON.stringify(written(stack.resolve(document))).replaceAll(/\s/g, "").length;
