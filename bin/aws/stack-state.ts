import type { ClientSettings } from "./clients.ts";

/** A resource of a stack or of its nested stacks. */
export interface StackResource {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly status: string;
}

export interface StackState {
  readonly status: string;
  readonly resources: readonly StackResource[];
}

/** A stack and its resources, with those of nested stacks. @throws the error of CloudFormation. */
export async function stackState(clients: ClientSettings, StackName: string): Promise<StackState> {
  const { CloudFormationClient, DescribeStacksCommand, ListStackResourcesCommand } = await import(
    "@aws-sdk/client-cloudformation"
  );
  const client = new CloudFormationClient(clients);
  const { Stacks } = await client.send(new DescribeStacksCommand({ StackName }));
  const resources: StackResource[] = [];
  const read = async (name: string): Promise<void> => {
    let NextToken: string | undefined;
    do {
      const page = await client.send(
        new ListStackResourcesCommand({ StackName: name, ...(NextToken && { NextToken }) }),
      );
      for (const each of page.StackResourceSummaries ?? []) {
        const physicalId = each.PhysicalResourceId ?? "";
        resources.push({
          logicalId: each.LogicalResourceId ?? "",
          type: each.ResourceType ?? "",
          physicalId,
          status: each.ResourceStatus ?? "",
        });
        if (each.ResourceType === "AWS::CloudFormation::Stack") await read(physicalId);
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
  };
  await read(StackName);
  return { status: Stacks?.[0]?.StackStatus ?? "", resources };
}
