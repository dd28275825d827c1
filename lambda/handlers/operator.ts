import { type OperatorAnswer, operate } from "../../core/leases/operation/operate.ts";
import { composeOperator } from "./compose.ts";
import { serve } from "./serve.ts";

const { logger, telemetry, deps } = composeOperator(process.env);

/**
 * A call that has many leases to revoke answers after this long, and is made again: callers see
 * progress, and others come in between. Unit: milliseconds.
 */
const ONE_CALL = 75_000;

/**
 * Invoked by operators, with a permission of its own: `list`, `revoke`, `sweep`, `status`,
 * `converge`.
 */
export const handler = serve<unknown, OperatorAnswer>({ logger, telemetry }).handler((event) => {
  const start = performance.now();
  return operate(deps, event, {
    actor: "operator",
    mayContinue: () => performance.now() - start < ONE_CALL,
  });
});
