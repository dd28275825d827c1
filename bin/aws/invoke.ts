import type { LambdaClient } from "@aws-sdk/client-lambda";

/** The answer of an invocation: the payload, or the error of the function. */
export interface Answer {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly errorType?: string;
  /** The header `x-amzn-RequestId`. */
  readonly requestId?: string;
  readonly milliseconds: number;
}

/** Invoke a function or alias and wait for its answer. @throws the error of IAM or Lambda. */
export async function invoke(client: LambdaClient, arn: string, event: object): Promise<Answer> {
  const { InvokeCommand } = await import("./lambda-sdk.ts");
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
