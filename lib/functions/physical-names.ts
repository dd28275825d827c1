import { Aws, Stack, Token } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { addressOf } from "../../core/names.ts";

/** Only CloudFormation knows a nested stack's name, so this uses its path. */
export function addressIn(scope: Construct): string {
  const { stackName } = Stack.of(scope);
  const { path } = scope.node;
  return Token.isUnresolved(stackName) ? path : addressOf(stackName, path);
}

/** A physical name, the same at every synthesis, of at most 64 characters. */
export function physicalName(scope: Construct, tag: string, suffix: string): string {
  const { stackName } = Stack.of(scope);
  const end = `${tag}-${suffix}`;
  if (Token.isUnresolved(stackName)) return `mayfly-${end}`;
  return `mayfly-${stackName.slice(0, 64 - "mayfly--".length - end.length)}-${end}`;
}

/** 64 characters, less "mayfly", hyphens, the longest consumer and the longest Region. */
const STACK_NAME_IN_ROLE = 23;

/**
 * The name of the role that is made for a consumer. A role belongs to no Region, so its name holds
 * the Region.
 */
export const consumerRoleName = (stackName: string, consumer: string): string =>
  `mayfly-${stackName.slice(0, STACK_NAME_IN_ROLE)}-${consumer}-${Aws.REGION}`;
