import { AwsError, notImplemented } from "../http/aws-error.ts";
import type { Queue } from "./queue.ts";

/** The attributes of a queue that AWS has, and the runner has not. */
const UNKNOWN: readonly string[] = [
  "ContentBasedDeduplication",
  "CreatedTimestamp",
  "DeduplicationScope",
  "FifoQueue",
  "FifoThroughputLimit",
  "KmsDataKeyReusePeriodSeconds",
  "KmsMasterKeyId",
  "LastModifiedTimestamp",
  "MaximumMessageSize",
  "MessageRetentionPeriod",
  "ReceiveMessageWaitTimeSeconds",
  "RedriveAllowPolicy",
  "SqsManagedSseEnabled",
];

/**
 * The attributes with these names, or all that the runner has. None without a name.
 *
 * @throws AwsError `InvalidAttributeName`; `NotImplemented` for one that the runner has not.
 */
export function attributesOf(
  queue: Queue,
  names: readonly string[],
): Readonly<Record<string, string>> {
  const { redrive, visibilityTimeout } = queue.settings;
  const known: Readonly<Record<string, string | undefined>> = {
    QueueArn: queue.arn,
    ApproximateNumberOfMessages: String(queue.messages.length - queue.inFlight),
    ApproximateNumberOfMessagesDelayed: "0",
    ApproximateNumberOfMessagesNotVisible: String(queue.inFlight),
    DelaySeconds: "0",
    Policy: queue.policy && JSON.stringify(queue.policy),
    RedrivePolicy:
      redrive &&
      JSON.stringify({
        deadLetterTargetArn: redrive.queueArn,
        maxReceiveCount: redrive.maxReceiveCount,
      }),
    VisibilityTimeout: String(visibilityTimeout / 1_000),
  };
  const unknown = names.find((name) => name !== "All" && !Object.hasOwn(known, name));
  if (unknown !== undefined && UNKNOWN.includes(unknown))
    throw notImplemented("sqs", `GetQueueAttributes of ${unknown}`);
  if (unknown !== undefined)
    throw new AwsError("InvalidAttributeName", `Unknown Attribute ${unknown}.`);
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, value]) =>
      value !== undefined && (names.includes("All") || names.includes(name)) ? [[name, value]] : [],
    ),
  );
}
