import { InvokeCommand, type LambdaClient } from "@aws-sdk/client-lambda";

/** What an invocation answered: the payload, or the error that the function let out. */
export interface Answer {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly errorType?: string;
  /** The header `x-amzn-RequestId`. */
  readonly requestId?: string;
  readonly milliseconds: number;
}

/** Invoke a function or alias and wait for its answer. @throws what IAM or Lambda refuse with. */
export async function invoke(client: LambdaClient, arn: string, event: object): Promise<Answer> {
  const start = performance.now();
  const { Payload, FunctionError, $metadata } = await client.send(
    new InvokeCommand({ FunctionName: arn, Payload: JSON.stringify(event) }),
  );
  const payload = JSON.parse(Payload?.transformToString() ?? "null");
  return {
    payload,
    milliseconds: performance.now() - start,
    ...($metadata.requestId !== undefined && { requestId: $metadata.requestId }),
    ...(FunctionError !== undefined && { errorType: String(payload?.errorType) }),
  };
}
