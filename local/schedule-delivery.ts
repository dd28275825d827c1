import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Account } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import type { Session } from "./identity.ts";
import type { Lambda } from "./lambda.ts";
import type { Sqs } from "./sqs.ts";

/** What a schedule calls, as whom, and how stubbornly. */
export interface ScheduleTarget {
  readonly functionArn: string;
  readonly input: string | undefined;
  /** The target's role in use. */
  readonly caller: Session;
  readonly maximumRetryAttempts: number;
  readonly maximumEventAgeSeconds: number;
  readonly deadLetterArn: string | undefined;
}

interface DeliveryOptions {
  readonly account: Account;
  readonly lambda: Lambda;
  readonly sqs: Sqs;
  readonly signal: AbortSignal;
}

interface Occurrence {
  /** The schedule's ARN. */
  readonly arn: string;
  readonly target: ScheduleTarget;
  readonly scheduledAt: Date;
}

/** AWS backs off for seconds to hours. Milliseconds. */
const BACK_OFF = 100;

/** Call the target asynchronously; after the last failed attempt, tell the dead-letter queue. */
export async function deliverSchedule(options: DeliveryOptions, due: Occurrence): Promise<void> {
  const { lambda, signal, sqs } = options;
  const { target, arn, scheduledAt } = due;
  const executionId = randomUUID();
  const deadline = scheduledAt.getTime() + target.maximumEventAgeSeconds * 1_000;
  for (let retries = 0; ; retries++) {
    const payload = inputOf(options.account, due, executionId, retries + 1);
    const { caller, functionArn: functionName } = target;
    const error = await lambda.invoke({ caller, functionName, payload, type: "Event" }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined || signal.aborted) return;
    if (!(error instanceof AwsError)) throw error;
    const exhausted = retries >= target.maximumRetryAttempts;
    if (!exhausted && Date.now() < deadline) {
      await wait(BACK_OFF, undefined, { signal }).catch(() => undefined);
      continue;
    }
    if (target.deadLetterArn === undefined) return;
    await sqs.send(caller, target.deadLetterArn, payload, {
      ERROR_CODE: error.code,
      ERROR_MESSAGE: error.message,
      EXECUTION_ID: executionId,
      EXHAUSTED_RETRY_CONDITION: exhausted ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds",
      IS_PAYLOAD_TRUNCATED: "false",
      RETRY_ATTEMPTS: String(retries),
      SCHEDULED_TIME: wholeSeconds(scheduledAt),
      SCHEDULE_ARN: arn,
      TARGET_ARN: functionName,
    });
    return;
  }
}

const wholeSeconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

/** The target's input with its context attributes, or the event Scheduler sends without one. */
function inputOf(account: Account, due: Occurrence, executionId: string, attempt: number): string {
  const { arn, target, scheduledAt } = due;
  if (target.input === undefined)
    return JSON.stringify({
      version: "0",
      id: executionId,
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      account: account.id,
      time: wholeSeconds(scheduledAt),
      region: account.region,
      resources: [arn],
      detail: "{}",
    });
  return target.input
    .replaceAll("<aws.scheduler.schedule-arn>", arn)
    .replaceAll("<aws.scheduler.scheduled-time>", wholeSeconds(scheduledAt))
    .replaceAll("<aws.scheduler.execution-id>", executionId)
    .replaceAll("<aws.scheduler.attempt-number>", String(attempt));
}
