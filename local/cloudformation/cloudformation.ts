import { AwsError } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Session } from "../iam/identity.ts";
import type { Stack } from "./stack.ts";

/** AWS CloudFormation, for programs that look at the stack. */
export function makeCloudFormation(access: Access, stack: Stack): Service {
  const allowed = async (caller: Session, action: string, wanted?: string): Promise<void> => {
    await access.authorize(caller, { action: `cloudformation:${action}`, resource: stack.id });
    // a stack that was deleted is known by its id alone
    const known = stack.status === "DELETE_COMPLETE" ? [stack.id] : [stack.id, stack.name];
    if (wanted !== undefined && !known.includes(wanted))
      throw new AwsError("ValidationError", `Stack with id ${wanted} does not exist`);
  };
  const described = () => ({
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
  return queryService("cloudformation", "http://cloudformation.amazonaws.com/doc/2010-05-15/", {
    DescribeStacks: operation<{ StackName?: string }>(async ({ StackName }, caller) => {
      await allowed(caller, "DescribeStacks", StackName);
      const listed = StackName !== undefined || stack.status !== "DELETE_COMPLETE";
      return { Stacks: { member: listed ? [described()] : [] } };
    }),
    DescribeStackResources: operation<{ StackName?: string }>(async ({ StackName }, caller) => {
      await allowed(caller, "DescribeStackResources", StackName);
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
      await allowed(caller, "ListStackResources", StackName);
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
