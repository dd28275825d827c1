import { setTimeout as wait } from "node:timers/promises";
import { AwsError } from "../http/aws-error.ts";
import type { Session } from "../iam/identity.ts";
import type { Sqs } from "../sqs/sqs.ts";
import type { Outcome } from "./lambda-instance.ts";

/** An asynchronous event and how to deliver it. */
export interface AsyncEvent {
  readonly requestId: string;
  readonly payload: string;
  readonly functionArn: string;
  readonly executedVersion: string;
  readonly maximumRetryAttempts: number;
  readonly maximumEventAgeSeconds: number;
  /** ARN of the queue that gets events that could not be processed. */
  readonly onFailure: string | undefined;
  /** The execution role, which sends to that queue. */
  readonly caller: Session;
  run(): Promise<Outcome>;
}

/** Minutes on AWS. Milliseconds. */
const BACK_OFF = [100, 200];

/**
 * Deliver one event: retry function errors as often as configured, throttling until the event is
 * too old, then send it to the failure queue. Resolves without a word when `signal` aborts.
 */
export async function deliver(event: AsyncEvent, sqs: Sqs, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + event.maximumEventAgeSeconds * 1_000;
  let outcome: Outcome | undefined;
  let attempts = 0;
  while (attempts <= event.maximumRetryAttempts && Date.now() <= deadline) {
    outcome = await event.run().catch((error: unknown) => {
      if (!(error instanceof AwsError) || error.status !== 429) throw error;
      return undefined;
    });
    if (outcome?.failed === false || signal.aborted) return;
    if (outcome !== undefined) attempts++;
    if (attempts > event.maximumRetryAttempts) break;
    await wait(BACK_OFF[attempts] ?? 200, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
  if (event.onFailure === undefined) return;
  const record = failureRecord(event, outcome, attempts);
  await sqs.send(event.caller, event.onFailure, JSON.stringify(record));
}

const failureRecord = (event: AsyncEvent, outcome: Outcome | undefined, attempts: number) => ({
  version: "1.0",
  timestamp: new Date().toISOString(),
  requestContext: {
    requestId: event.requestId,
    functionArn: event.functionArn,
    condition: attempts > event.maximumRetryAttempts ? "RetriesExhausted" : "EventAgeExceeded",
    approximateInvokeCount: attempts,
  },
  requestPayload: JSON.parse(event.payload) as unknown,
  ...(outcome !== undefined && {
    responseContext: {
      statusCode: 200,
      executedVersion: event.executedVersion,
      functionError: "Unhandled",
    },
    responsePayload: JSON.parse(outcome.payload) as unknown,
  }),
});
