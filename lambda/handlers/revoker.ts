import { InvalidRequestError } from "../../core/errors.ts";
import { parseLeaseId, shown } from "../../core/leases/lease-id.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeLease } from "../../core/leases/revoke.ts";
import { parseScheduleInput } from "../../core/leases/schedules.ts";
import { serve } from "./boundary.ts";
import { compose } from "./compose.ts";

const { logger, telemetry, deps } = compose(process.env);

/** Invoked by a lease's schedule: revokes it if the database says that it is due. */
export const handler = serve<unknown, Receipt>(logger, telemetry).handler(async (event) => {
  const input = parseScheduleInput(event);
  if (input === undefined)
    throw new InvalidRequestError(
      `${shown(event)} is not what a lease's schedule carries; send {"leaseId", "roleOid"}`,
    );
  const { leaseId, roleOid } = input;
  return revokeLease(deps, parseLeaseId(leaseId), { onlyIfDue: true, actor: "schedule", roleOid });
});
