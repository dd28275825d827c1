import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";

/** Where the story is told: an endpoint of AWS's or of this machine's, with an administrator's keys. */
export interface Place {
  /** What the SDK's clients are made with. */
  readonly clients: {
    readonly region?: string;
    readonly endpoint?: string;
    readonly credentials?: Keys;
  };
  readonly stackName: string;
  /** PEM of the authority that the database's certificate is checked against. */
  readonly ca: string;
  /** How late Scheduler may fire. Unit: milliseconds. */
  readonly precision: number;
}

/** What AWS hands out for a role. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What an invocation answered: the payload, or the error that the function let out. */
export interface Answer {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly errorType?: string;
  readonly milliseconds: number;
}

/** The outputs of the deployed stack. */
export async function outputsOf({ clients, stackName }: Place): Promise<Map<string, string>> {
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

/** A Lambda client that holds nothing but the role's own credentials. */
export async function assume({ clients }: Place, roleArn: string): Promise<LambdaClient> {
  const { Credentials } = await new STSClient(clients).send(
    new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: "demo" }),
  );
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
  const credentials = {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  };
  return new LambdaClient({ ...clients, credentials });
}

/** Invoke a function or alias and wait for its answer. @throws what IAM or Lambda refuse with. */
export async function invoke(client: LambdaClient, arn: string, event: object): Promise<Answer> {
  const start = performance.now();
  const { Payload, FunctionError } = await client.send(
    new InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(event) }),
  );
  const payload = JSON.parse(Payload?.transformToString() ?? "null");
  return {
    payload,
    milliseconds: performance.now() - start,
    ...(FunctionError !== undefined && { errorType: String(payload.errorType) }),
  };
}

/** The receipt of a lease, from the audit line that the revoker logged; `undefined` until it has. */
export async function receiptOf(
  { clients }: Place,
  logGroupName: string,
  leaseId: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { events } = await new CloudWatchLogsClient(clients).send(
    new FilterLogEventsCommand({ logGroupName, filterPattern: `"lease.revoked" "${leaseId}"` }),
  );
  const [line] = events ?? [];
  return line?.message === undefined ? undefined : JSON.parse(line.message).receipt;
}
