import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeDue } from "../../core/leases/revocation/revoke-due.ts";
import { compose } from "./compose.ts";
import { type BatchAnswer, recordsIn, revokeMessages, scheduleInputOf } from "./due-messages.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps } = compose(process.env);

/**
 * A batch needs less time, even with stubborn sessions. A revocation that begins later could exceed
 * the function's time limit, and then every message of the batch would be delivered again. Unit:
 * milliseconds.
 */
const ENOUGH_FOR_A_BATCH = 45_000;

/**
 * Invoked with messages of the schedules' queue, or by hand with the input of one message: revokes
 * leases if the database says that they are due. Invoked by hand it answers a receipt, or a list of
 * receipts for a second check.
 */
export const handler = serve<unknown, Receipt | readonly Receipt[] | BatchAnswer>({
  logger,
  telemetry,
}).handler(async (event, context) => {
  const records = recordsIn(event);
  if (records !== undefined) {
    const { awsRequestId: requestId } = context;
    const mayContinue = (): boolean => context.getRemainingTimeInMillis() > ENOUGH_FOR_A_BATCH;
    return revokeMessages({ deps, logger, telemetry, requestId }, records, { mayContinue });
  }
  const input = scheduleInputOf(event);
  const [outcome] = await revokeDue(deps, [input]);
  const receipts = (outcome?.revocations ?? []).map((each) => {
    if ("error" in each) throw each.error;
    return each.receipt;
  });
  const [first] = receipts;
  return "recheck" in input || first === undefined ? receipts : first;
});
