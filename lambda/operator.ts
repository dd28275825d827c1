import { type OperatorAnswer, operate } from "../core/operate.ts";
import { serve } from "./boundary.ts";
import { compose } from "./compose.ts";

const { logger, telemetry, deps } = compose(process.env);

/** One revocation takes less, even with a session that holds on. Unit: milliseconds. */
const ENOUGH_FOR_ONE = 45_000;

/** Invoked by operators, with a permission of its own: `list`, `revoke`, `sweep`, `status`. */
export const handler = serve<unknown, OperatorAnswer>(logger, telemetry).handler((event, context) =>
  operate(deps, event, {
    actor: "operator",
    mayContinue: () => context.getRemainingTimeInMillis() > ENOUGH_FOR_ONE,
  }),
);
