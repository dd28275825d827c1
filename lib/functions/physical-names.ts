import { Aws, Stack, Token } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { addressOf, fitName } from "../../core/names.ts";

/** Only CloudFormation knows a nested stack's name, so this uses its path. */
export function addressIn(scope: Construct): string {
  const { stackName } = Stack.of(scope);
  const { path } = scope.node;
  return Token.isUnresolved(stackName) ? path : addressOf(stackName, path);
}

/** The limit of Lambda and IAM. */
const LONGEST_NAME = 64;

/**
 * Characters for the stack's name beside "mayfly", a tag and the longest function name. All names
 * of functions share this beginning: `mayfly verify` derives one name from another.
 */
const STACK_NAME_IN_FUNCTION = LONGEST_NAME - "mayfly-".length - "-ab27-provisioner".length;

/** A physical name, the same at every synthesis, of at most 64 characters. */
export function physicalName(scope: Construct, tag: string, suffix: string): string {
  const { stackName } = Stack.of(scope);
  const end = `${tag}-${suffix}`;
  if (Token.isUnresolved(stackName)) return `mayfly-${end}`;
  const room = LONGEST_NAME - "mayfly--".length - end.length;
  return `mayfly-${fitName(stackName, Math.min(room, STACK_NAME_IN_FUNCTION))}-${end}`;
}

/** Two separators, the longest consumer name and the longest Region. */
const REST_OF_ROLE = 2 + 16 + 16;
const STACK_NAME_IN_ROLE = LONGEST_NAME - "mayfly-".length - REST_OF_ROLE;

/**
 * The name of the role that is made for a consumer. A role belongs to no Region, so its name holds
 * the Region. Neither a stack's nor a consumer's name has an underscore, so no two of them make the
 * same name.
 */
export const consumerRoleName = (stackName: string, consumer: string): string =>
  `mayfly-${fitName(stackName, STACK_NAME_IN_ROLE)}_${consumer}-${Aws.REGION}`;

const SANDBOX = "mayfly-sandbox_";

/**
 * The name of the role of a consumer in the sandbox. It differs from {@link consumerRoleName}: when
 * a consumer leaves the sandbox, CloudFormation makes the new role before it removes the old one.
 */
export const sandboxRoleName = (stackName: string, consumer: string): string =>
  `${SANDBOX}${fitName(stackName, LONGEST_NAME - SANDBOX.length - REST_OF_ROLE)}_${consumer}-${Aws.REGION}`;
