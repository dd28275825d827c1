import { type OperatorAnswer, operate } from "../../core/leases/operation/operate.ts";
import { composeOperator } from "./compose-operator.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps } = composeOperator(process.env);

/**
 * A call with many leases to revoke answers after this long, and the caller repeats it: callers see
 * progress, and other calls can run in between. Unit: milliseconds.
 */
const ONE_CALL = 75_000;

/**
 * Invoked by operators, who need a separate permission: `list`, `revoke`, `sweep`, `status`,
 * `converge`, `doctor`.
 */
export const handler = serve<unknown, OperatorAnswer>({ logger, telemetry }).handler((event) => {
  const start = performance.now();
  return operate(deps, event, {
    actor: "operator",
    mayContinue: () => performance.now() - start < ONE_CALL,
  });
});
