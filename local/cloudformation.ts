import type { Access } from "./access.ts";
import { AwsError } from "./aws-error.ts";
import { operation, queryService, type Service } from "./protocols.ts";

/** What DescribeStacks tells about the stack that runs. */
export interface StackFacts {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly outputs: Readonly<Record<string, string>>;
}

/** AWS CloudFormation, for programs that read a stack's outputs. */
export function makeCloudFormation(access: Access, stack: StackFacts): Service {
  const describe = operation<{ StackName?: string }>(async ({ StackName }, caller) => {
    await access.authorize(caller, { action: "cloudformation:DescribeStacks", resource: stack.id });
    if (StackName !== undefined && StackName !== stack.name && StackName !== stack.id)
      throw new AwsError("ValidationError", `Stack with id ${StackName} does not exist`);
    const outputs = Object.entries(stack.outputs);
    return {
      Stacks: {
        member: {
          StackId: stack.id,
          StackName: stack.name,
          CreationTime: stack.createdAt,
          StackStatus: "CREATE_COMPLETE",
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
