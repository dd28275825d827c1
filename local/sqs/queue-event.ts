import { createHash } from "node:crypto";
import type { ReceivedMessage } from "./queue.ts";

interface Source {
  readonly arn: string;
  readonly region: string;
}

/** Lambda's event for messages of a queue. */
export const queueEvent = ({ arn, region }: Source, messages: readonly ReceivedMessage[]) => ({
  Records: messages.map((each) => ({
    messageId: each.messageId,
    receiptHandle: each.receiptHandle,
    body: each.body,
    attributes: {
      ApproximateReceiveCount: String(each.receiveCount),
      SentTimestamp: String(each.sentAt),
      SenderId: each.senderId,
      ApproximateFirstReceiveTimestamp: String(each.firstReceivedAt),
    },
    messageAttributes: Object.fromEntries(
      Object.entries(each.attributes).map(([name, stringValue]) => [
        name,
        { stringValue, stringListValues: [], binaryListValues: [], dataType: "String" },
      ]),
    ),
    md5OfBody: createHash("md5").update(each.body).digest("hex"),
    eventSource: "aws:sqs",
    eventSourceARN: arn,
    awsRegion: region,
  })),
});

/**
 * The failed messages of a batch, from the answer of a function that reports failures of single
 * messages. Nothing, or an empty list, is success; an answer that Lambda cannot read, or that names
 * a message that is not in the batch, fails all of them.
 */
export function failedMessages(
  payload: string,
  messages: readonly Pick<ReceivedMessage, "messageId">[],
): ReadonlySet<string> {
  const all = new Set(messages.map(({ messageId }) => messageId));
  const answer = parsed(payload);
  if (answer === null) return new Set();
  if (typeof answer !== "object" || Array.isArray(answer)) return all;
  const { batchItemFailures: failures = null } = answer as { batchItemFailures?: unknown };
  if (failures === null) return new Set();
  if (!Array.isArray(failures)) return all;
  const failed = failures.map((each: { itemIdentifier?: unknown } | null) => each?.itemIdentifier);
  const isKnown = (each: unknown): each is string => typeof each === "string" && all.has(each);
  return failed.every(isKnown) ? new Set(failed) : all;
}

/**
 * The value of an answer. Undefined if it is not JSON. A function that returns nothing answers
 * null.
 */
function parsed(payload: string): unknown {
  if (payload === "") return null;
  try {
    return JSON.parse(payload);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
