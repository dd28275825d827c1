import { actionIn, fieldsOf, refuseUnknown } from "../requests/lease-request.ts";

/** What the schedule of the sweep sends to the sweeper. */
export const SWEEP_REQUEST = { action: "sweep" } as const;

/** @throws InvalidRequestError if an event is not {@link SWEEP_REQUEST}. */
export function checkSweepRequest(event: unknown): void {
  const fields = fieldsOf(event);
  refuseUnknown(fields, actionIn(fields, { [SWEEP_REQUEST.action]: true }), []);
}
