import { type SweepReport, sweep } from "../../core/leases/operation/sweep.ts";
import { composeSweeper } from "./compose.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps, secretsOverdue } = composeSweeper(process.env);

/** One revocation takes less, even with a session that holds on. Unit: milliseconds. */
const ENOUGH_FOR_ONE = 45_000;

/** Invoked every five minutes: finds what the schedules missed, and what should not be there. */
export const handler = serve<unknown, SweepReport>({ logger, telemetry }).handler(
  (_event, context) =>
    sweep(deps, {
      actor: "sweep",
      mayContinue: () => context.getRemainingTimeInMillis() > ENOUGH_FOR_ONE,
      backsOff: true,
      ...(secretsOverdue && { secretsOverdue }),
    }),
);
