import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import {
  type InvocationType,
  InvokeCommand,
  type InvokeCommandOutput,
  LambdaClient,
} from "@aws-sdk/client-lambda";
import { RDSClient } from "@aws-sdk/client-rds";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { STSClient } from "@aws-sdk/client-sts";
import type { Runner } from "../../local/runner.ts";

/** One real SDK client per service, all with the keys of one principal. */
export interface Clients {
  readonly cloudformation: CloudFormationClient;
  readonly lambda: LambdaClient;
  readonly rds: RDSClient;
  readonly scheduler: SchedulerClient;
  readonly secrets: SecretsManagerClient;
  readonly sts: STSClient;
}

type Credentials = ReturnType<Runner["credentialsFor"]>;

/** Clients of a runner with the keys of a principal, or with keys of the caller's choice. */
export function clientsOf(
  { endpoint, region, credentialsFor }: Pick<Runner, "endpoint" | "region" | "credentialsFor">,
  principal: string | Credentials,
): Clients {
  const credentials = typeof principal === "string" ? credentialsFor(principal) : principal;
  const config = { endpoint, region, credentials, maxAttempts: 1 };
  return {
    cloudformation: new CloudFormationClient(config),
    lambda: new LambdaClient(config),
    rds: new RDSClient(config),
    scheduler: new SchedulerClient(config),
    secrets: new SecretsManagerClient(config),
    sts: new STSClient(config),
  };
}

/** A reply of Invoke, with its payload parsed. */
export interface Invoked extends Omit<InvokeCommandOutput, "Payload"> {
  readonly answer: Record<string, unknown> | undefined;
}

/** Call a function with a JSON event. */
export async function invoke(
  { lambda }: Pick<Clients, "lambda">,
  FunctionName: string,
  event: object,
  InvocationType: InvocationType = "RequestResponse",
): Promise<Invoked> {
  const Payload = JSON.stringify(event);
  const reply = await lambda.send(new InvokeCommand({ FunctionName, Payload, InvocationType }));
  const text = reply.Payload?.transformToString() ?? "";
  const answer = text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>);
  return { ...reply, answer };
}
