import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { CreateScheduleInput } from "@aws-sdk/client-scheduler";
import type { Account } from "../account.ts";
import { AwsError, validationError } from "../http/aws-error.ts";
import type { Access } from "../iam/access.ts";
import type { Identities, Session } from "../iam/identity.ts";
import type { Lambda } from "../lambda/lambda.ts";
import type { Sqs } from "../sqs/sqs.ts";

/** The target of a schedule, the role that calls it, and the retries. */
export interface ScheduleTarget {
  /** ARN of a function or a queue. */
  readonly arn: string;
  readonly input: string | undefined;
  /** The session of the target's role. */
  readonly caller: Session;
  readonly maximumRetryAttempts: number;
  readonly maximumEventAgeSeconds: number;
  readonly deadLetterArn: string | undefined;
}

interface TargetOptions {
  readonly account: Account;
  readonly access: Access;
  readonly identities: Identities;
}

/**
 * The target of a schedule. Like Scheduler, it checks at once that it can assume the role for the
 * schedule's group.
 *
 * @throws AwsError `ValidationException` if it cannot, or if the target is neither a function nor a
 *   queue.
 */
export async function resolveTarget(
  { access, account, identities }: TargetOptions,
  groupArn: string,
  { Target: target }: CreateScheduleInput,
): Promise<ScheduleTarget> {
  const role = identities.find(target?.RoleArn ?? "");
  const onBehalf = { "aws:SourceAccount": account.id, "aws:SourceArn": groupArn };
  const trusted = role && (await access.trusts(role, "scheduler.amazonaws.com", onBehalf));
  if (role === undefined || !trusted)
    throw validationError(
      "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    );
  if (!/^arn:aws:(lambda|sqs):/.test(target?.Arn ?? "") || target?.Arn === undefined)
    throw validationError(
      `the local runner has schedules for functions and queues, not for ${target?.Arn}`,
    );
  return {
    arn: target.Arn,
    input: target.Input,
    caller: identities.session(role, "scheduler"),
    maximumRetryAttempts: Number(target.RetryPolicy?.MaximumRetryAttempts ?? 185),
    maximumEventAgeSeconds: Number(target.RetryPolicy?.MaximumEventAgeInSeconds ?? 86_400),
    deadLetterArn: target.DeadLetterConfig?.Arn,
  };
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

/**
 * Call a function asynchronously, or send to a queue. After the last failed attempt, send to the
 * dead-letter queue.
 */
export async function deliverSchedule(options: DeliveryOptions, due: Occurrence): Promise<void> {
  const { signal, sqs } = options;
  const { target, arn, scheduledAt } = due;
  const executionId = randomUUID();
  const deadline = scheduledAt.getTime() + target.maximumEventAgeSeconds * 1_000;
  for (let retries = 0; ; retries++) {
    const payload = inputOf(options.account, due, executionId, retries + 1);
    const error = await deliverOnce(options, target, payload).then(
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
    await sqs.send(target.caller, target.deadLetterArn, payload, {
      ERROR_CODE: error.code,
      ERROR_MESSAGE: error.message,
      EXECUTION_ID: executionId,
      EXHAUSTED_RETRY_CONDITION: exhausted ? "MaximumRetryAttempts" : "MaximumEventAgeInSeconds",
      IS_PAYLOAD_TRUNCATED: "false",
      RETRY_ATTEMPTS: String(retries),
      SCHEDULED_TIME: wholeSeconds(scheduledAt),
      SCHEDULE_ARN: arn,
      TARGET_ARN: target.arn,
    });
    return;
  }
}

async function deliverOnce(
  { lambda, sqs }: DeliveryOptions,
  { arn, caller }: ScheduleTarget,
  payload: string,
): Promise<void> {
  if (arn.startsWith("arn:aws:sqs:")) await sqs.send(caller, arn, payload);
  else await lambda.invoke({ caller, functionName: arn, payload, type: "Event" });
}

const wholeSeconds = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

/** The target's input with its context attributes filled in, or Scheduler's default event. */
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
