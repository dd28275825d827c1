import { type SweepReport, sweep } from "../../core/leases/operation/sweep.ts";
import { checkSweepRequest } from "../../core/leases/operation/sweep-request.ts";
import { composeSweeper } from "./compose-sweeper.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps, secretsOverdue } = composeSweeper(process.env);

/** One revocation needs less time, even with a stubborn session. Unit: milliseconds. */
const ENOUGH_FOR_ONE = 45_000;

/**
 * Invoked every five minutes: finds leases that the schedules missed, and roles and sessions that
 * should not exist.
 */
export const handler = serve<unknown, SweepReport>({ logger, telemetry }).handler(
  async (event, context) => {
    checkSweepRequest(event);
    return sweep(deps, {
      actor: "sweep",
      mayContinue: () => context.getRemainingTimeInMillis() > ENOUGH_FOR_ONE,
      backsOff: true,
      ...(secretsOverdue && { secretsOverdue }),
    });
  },
);
