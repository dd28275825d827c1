import { MESSAGES_AT_ONCE } from "../../core/concurrency.ts";
import { ForeignRoleError, InvalidRequestError } from "../../core/errors.ts";
import { shown } from "../../core/leases/lease-id.ts";
import type { LeaseDeps, ScheduleInput } from "../../core/leases/lease-ports.ts";
import { type RevokeDueOptions, revokeDue } from "../../core/leases/revocation/revoke-due.ts";
import { parseScheduleInput } from "../../core/leases/revocation/schedules.ts";
import { metricOf, type Reporting, reportError } from "./report-error.ts";

/** One message of a queue, with the fields that are read here. */
export interface QueueRecord {
  readonly messageId: string;
  readonly body: string;
}

/** The messages that are delivered again; all others are deleted. */
export interface BatchAnswer {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** The messages of a queue event. Undefined for any other event. */
export function recordsIn(event: unknown): readonly QueueRecord[] | undefined {
  const { Records } = (event ?? {}) as {
    Records?: readonly (QueueRecord & { eventSource?: string })[];
  };
  if (!Array.isArray(Records) || Records.length === 0) return undefined;
  return Records.every((each) => each?.eventSource === "aws:sqs") ? Records : undefined;
}

/** Parse the input of a lease's schedule. @throws InvalidRequestError if it is something else. */
export function scheduleInputOf(value: unknown): ScheduleInput {
  const input = parseScheduleInput(value);
  if (input !== undefined) return input;
  throw new InvalidRequestError(
    `${shown(value)} is not the input of a lease's schedule; send {"leaseId", "incarnation"}`,
  );
}

/** The dependencies of revocations by messages. */
export interface DueMessagesDeps extends Reporting {
  readonly deps: LeaseDeps;
  /** The id of the invocation. */
  readonly requestId: string;
}

/** Revoke the leases of messages, and return the messages that must be delivered again. */
export async function revokeMessages(
  { deps, requestId, ...reporting }: DueMessagesDeps,
  records: readonly QueueRecord[],
  options: Pick<RevokeDueOptions, "mayContinue"> = {},
): Promise<BatchAnswer> {
  const due: { readonly messageId: string; readonly input: ScheduleInput }[] = [];
  for (const { messageId, body } of records)
    try {
      due.push({ messageId, input: scheduleInputOf(parsed(body)) });
    } catch (error) {
      // it would be refused at every delivery: log it once; the sweep finds the lease
      reportError(reporting, error, requestId, { messageId });
    }
  const outcomes = await revokeDue(
    deps,
    due.map(({ input }) => input),
    { ...options, moreWait: records.length >= MESSAGES_AT_ONCE },
  );
  const batchItemFailures = due.flatMap(({ messageId }, index) => {
    const failed = (outcomes[index]?.revocations ?? []).filter((each) => "error" in each);
    // the reason is in the lease's own line, lease.failed
    for (const { error } of failed) reporting.telemetry?.measure(metricOf(error), 1);
    return failed.some(({ error }) => mayPass(error)) ? [{ itemIdentifier: messageId }] : [];
  });
  return { batchItemFailures };
}

/** Whether the message itself is wrong and would be refused at every delivery. */
const mayPass = (error: unknown): boolean =>
  !(error instanceof InvalidRequestError || error instanceof ForeignRoleError);

/** The parsed body, or the body itself if it is not JSON. An error may show either. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
}
