import type { Access } from "./access.ts";
import { AwsError } from "./aws-error.ts";
import { operation, queryService, type Service } from "./protocols.ts";
import type { Stack } from "./stack.ts";

/** AWS CloudFormation, for programs that read a stack's outputs. */
export function makeCloudFormation(access: Access, stack: Stack): Service {
  const describe = operation<{ StackName?: string }>(async ({ StackName }, caller) => {
    await access.authorize(caller, { action: "cloudformation:DescribeStacks", resource: stack.id });
    const gone = stack.status === "DELETE_COMPLETE";
    // a stack that was deleted is known by its id alone
    const known = [stack.id, ...(gone ? [] : [stack.name, undefined])];
    if (!known.includes(StackName) && !(gone && StackName === undefined))
      throw new AwsError("ValidationError", `Stack with id ${StackName} does not exist`);
    if (gone && StackName === undefined) return { Stacks: {} };
    const outputs = Object.entries(stack.outputs);
    return {
      Stacks: {
        member: {
          StackId: stack.id,
          StackName: stack.name,
          CreationTime: stack.createdAt,
          StackStatus: stack.status,
          Outputs: {
            member: outputs.map(([OutputKey, OutputValue]) => ({ OutputKey, OutputValue })),
          },
        },
      },
    };
  });
  return queryService("cloudformation", "http://cloudformation.amazonaws.com/doc/2010-05-15/", {
    DescribeStacks: describe,
  });
}
