import { AUDIT_STARTS } from "./audit.ts";
import type { Instant } from "./time.ts";

/** One audit line as an event for EventBridge. */
export interface BusEvent {
  /** The audit event's name, e.g. `lease.revoked`. EventBridge rules match it. */
  readonly detailType: string;
  /** The line itself, a JSON object. */
  readonly detail: string;
  readonly time: Instant;
  /** The lease's id, if the line has one. */
  readonly resources: readonly string[];
}

/** The source of every event. */
export const BUS_SOURCE = "mayfly";

/** What CloudWatch Logs sends to a subscriber, decompressed. */
interface LogBatch {
  /** `CONTROL_MESSAGE` only tests whether the subscriber can be reached. */
  readonly messageType: string;
  readonly logEvents: readonly { readonly timestamp: number; readonly message: string }[];
}

/** The audit lines in a batch of log events. Other lines are ignored. */
export function busEventsIn({ messageType, logEvents }: LogBatch): readonly BusEvent[] {
  if (messageType !== "DATA_MESSAGE") return [];
  return logEvents.flatMap(({ timestamp, message: detail }) => {
    const { message: name, leaseId } = fieldsIn(detail);
    if (typeof name !== "string" || !AUDIT_STARTS.some((start) => name.startsWith(start)))
      return [];
    const resources = typeof leaseId === "string" ? [leaseId] : [];
    return [{ detailType: name, detail, time: timestamp as Instant, resources }];
  });
}

function fieldsIn(line: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(line));
  } catch (error) {
    if (error instanceof SyntaxError) return {}; // a platform's line
    throw error;
  }
}

/** Maximum of entries in one PutEvents call. */
const MOST_ENTRIES = 10;
/** Maximum size of all entries together. Unit: bytes. */
const MOST_BYTES = 262_144;
/**
 * Bytes that an entry's time counts for; the rest of the size is text (EventBridge, "Calculating
 * PutEvents event entry size").
 */
const BYTES_OF_TIME = 14;

const sizeOf = ({ detailType, detail, resources }: BusEvent): number =>
  [BUS_SOURCE, detailType, detail, ...resources].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    BYTES_OF_TIME,
  );

/**
 * Split events into batches that PutEvents accepts, in order. An event that is too big gets its own
 * batch.
 */
export function batchesOf(events: readonly BusEvent[]): readonly (readonly BusEvent[])[] {
  const batches: BusEvent[][] = [];
  let remaining = 0;
  for (const event of events) {
    const last = batches.at(-1);
    const size = sizeOf(event);
    if (last === undefined || last.length === MOST_ENTRIES || size > remaining) {
      batches.push([event]);
      remaining = MOST_BYTES - size;
    } else {
      last.push(event);
      remaining -= size;
    }
  }
  return batches;
}
