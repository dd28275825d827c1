import { Stack } from "aws-cdk-lib";
import type { Construct } from "constructs";

/** Lambda's limit for all variables of a function, including their names. Unit: bytes. */
export const ENVIRONMENT_LIMIT = 4_096;

/** Characters that CloudFormation adds to a logical id to make an ARN or a name. */
const AROUND_A_REFERENCE = 90;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** The longest text that a value may become in CloudFormation: an upper estimate. */
function lengthOf(value: unknown): number {
  if (!isRecord(value)) return Buffer.byteLength(String(value));
  const { Ref: reference, "Fn::GetAtt": attribute, "Fn::Join": join } = value;
  if (typeof reference === "string")
    return reference.startsWith("AWS::") ? 20 : AROUND_A_REFERENCE + reference.length;
  if (Array.isArray(attribute)) return AROUND_A_REFERENCE + String(attribute[0]).length;
  if (Array.isArray(join) && Array.isArray(join[1]))
    return join[1].reduce((sum: number, part) => sum + lengthOf(part), 0);
  return AROUND_A_REFERENCE;
}

/** The estimated size of the variables. Unit: bytes. */
export const environmentSize = (
  scope: Construct,
  variables: Readonly<Record<string, string>>,
): number =>
  Object.entries(variables).reduce(
    (sum, [name, value]) => sum + name.length + lengthOf(Stack.of(scope).resolve(value)),
    0,
  );
