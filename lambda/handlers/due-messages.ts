import { MESSAGES_AT_ONCE } from "../../core/concurrency.ts";
import { ForeignRoleError, InvalidRequestError } from "../../core/errors.ts";
import { shown } from "../../core/leases/lease-id.ts";
import type { LeaseDeps, ScheduleInput } from "../../core/leases/lease-ports.ts";
import { type RevokeDueOptions, revokeDue } from "../../core/leases/revocation/revoke-due.ts";
import { parseScheduleInput } from "../../core/leases/revocation/schedules.ts";
import { metricOf, type Reporting, reportError } from "./report-error.ts";

/** One message of a queue, as Lambda hands it over: what of it is read here. */
export interface QueueRecord {
  readonly messageId: string;
  readonly body: string;
}

/** Which messages come again; all others are deleted. */
export interface BatchAnswer {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** The messages of a queue that Lambda has read for us, or `undefined` for any other event. */
export function recordsIn(event: unknown): readonly QueueRecord[] | undefined {
  const { Records } = (event ?? {}) as {
    Records?: readonly (QueueRecord & { eventSource?: string })[];
  };
  if (!Array.isArray(Records) || Records.length === 0) return undefined;
  return Records.every((each) => each?.eventSource === "aws:sqs") ? Records : undefined;
}

/** What a lease's schedule carries. @throws InvalidRequestError when it is something else. */
export function scheduleInputOf(value: unknown): ScheduleInput {
  const input = parseScheduleInput(value);
  if (input !== undefined) return input;
  throw new InvalidRequestError(
    `${shown(value)} is not what a lease's schedule carries; send {"leaseId", "incarnation"}`,
  );
}

/** What revocations by messages stand on. */
export interface DueMessagesDeps extends Reporting {
  readonly deps: LeaseDeps;
  /** Of the invocation. */
  readonly requestId: string;
}

/** Revoke what messages ask for, and say which of them are to come again. */
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
      // it would be refused every time it came: the log says so once, and the sweep knows the lease
      reportError(reporting, error, requestId, { messageId });
    }
  const outcomes = await revokeDue(
    deps,
    due.map(({ input }) => input),
    { ...options, moreWait: records.length >= MESSAGES_AT_ONCE },
  );
  const batchItemFailures = due.flatMap(({ messageId }, index) => {
    const failed = (outcomes[index]?.revocations ?? []).filter((each) => "error" in each);
    // why stands in the lease's own line, lease.failed
    for (const { error } of failed) reporting.telemetry?.measure(metricOf(error), 1);
    return failed.some(({ error }) => mayPass(error)) ? [{ itemIdentifier: messageId }] : [];
  });
  return { batchItemFailures };
}

/** A message that is wrong itself would be refused every time it came. */
const mayPass = (error: unknown): boolean =>
  !(error instanceof InvalidRequestError || error instanceof ForeignRoleError);

/** The value of a body, or the body itself where it is no JSON: an error may show either. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return body;
    throw error;
  }
}
