import { type Account, arnOf } from "../account.ts";
import { AwsError } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Session } from "../iam/identity.ts";
import type { Stack } from "./stack.ts";
import type { Stacks } from "./stacks.ts";

/** AWS CloudFormation, for programs that read the stacks. */
export function makeCloudFormation(account: Account, access: Access, stacks: Stacks): Service {
  /** A deleted stack can be found by its id only. */
  const find = async (caller: Session, action: string, wanted: string): Promise<Stack> => {
    const found = stacks.all.find(
      ({ id, name, status }) => id === wanted || (name === wanted && status !== "DELETE_COMPLETE"),
    );
    const resource = found?.id ?? arnOf(account, "cloudformation", `stack/${wanted}/*`);
    await access.authorize(caller, { action: `cloudformation:${action}`, resource });
    if (found !== undefined) return found;
    throw new AwsError("ValidationError", `Stack with id ${wanted} does not exist`);
  };
  const list = async (caller: Session): Promise<readonly Stack[]> => {
    await access.authorize(caller, { action: "cloudformation:DescribeStacks", resource: "*" });
    return stacks.all.filter(({ status }) => status !== "DELETE_COMPLETE");
  };
  return queryService("cloudformation", "http://cloudformation.amazonaws.com/doc/2010-05-15/", {
    DescribeStacks: operation<{ StackName?: string }>(async ({ StackName }, caller) => {
      const listed =
        StackName === undefined
          ? await list(caller)
          : [await find(caller, "DescribeStacks", StackName)];
      return { Stacks: { member: listed.map(described) } };
    }),
    DescribeStackResources: operation<{ StackName?: string }>(async ({ StackName }, caller) => {
      const stack = await find(caller, "DescribeStackResources", StackName ?? "");
      const resources = stack.resources.map(({ logicalId, type, ref }) => ({
        StackName: stack.name,
        StackId: stack.id,
        LogicalResourceId: logicalId,
        PhysicalResourceId: ref,
        ResourceType: type,
        Timestamp: stack.createdAt,
        ResourceStatus: "CREATE_COMPLETE",
      }));
      return { StackResources: { member: resources } };
    }),
    ListStackResources: operation<{ StackName?: string }>(async ({ StackName }, caller) => {
      const stack = await find(caller, "ListStackResources", StackName ?? "");
      const member = stack.resources.map(({ logicalId, type, ref }) => ({
        LogicalResourceId: logicalId,
        PhysicalResourceId: ref,
        ResourceType: type,
        LastUpdatedTimestamp: stack.createdAt,
        ResourceStatus: "CREATE_COMPLETE",
      }));
      return { StackResourceSummaries: { member } };
    }),
  });
}

const described = (stack: Stack) => ({
  StackId: stack.id,
  StackName: stack.name,
  CreationTime: stack.createdAt,
  StackStatus: stack.status,
  Outputs: {
    member: Object.entries(stack.outputs).map(([OutputKey, OutputValue]) => ({
      OutputKey,
      OutputValue,
    })),
  },
});
