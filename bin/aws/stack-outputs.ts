import type { ClientSettings } from "./clients.ts";

/** The outputs of a deployed stack, by key. @throws the error of CloudFormation. */
export async function outputsOf(
  clients: ClientSettings,
  stackName: string,
): Promise<ReadonlyMap<string, string>> {
  const { CloudFormationClient, DescribeStacksCommand } = await import(
    "@aws-sdk/client-cloudformation"
  );
  const { Stacks } = await new CloudFormationClient(clients).send(
    new DescribeStacksCommand({ StackName: stackName }),
  );
  return new Map(
    (Stacks?.[0]?.Outputs ?? []).map(({ OutputKey = "", OutputValue = "" }) => [
      OutputKey,
      OutputValue,
    ]),
  );
}
