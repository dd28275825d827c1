import type { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import { refuseClaims } from "../../core/leases/requests/client-context.ts";
import { type Reporting, reportError } from "./report-error.ts";
import type { LambdaTelemetry } from "./telemetry.ts";

/** What every function is served with. */
export interface Serving extends Pick<Reporting, "failureMetric"> {
  readonly logger: Logger;
  /** @default - the function has no metrics */
  readonly telemetry?: LambdaTelemetry;
}

/**
 * Wrap a function: every line of its log has the request id, its metrics are published when it
 * answers or throws, and an error that leaves it has only our own words.
 *
 * A time limit is Lambda's alone: its `Sandbox.Timedout` ends the process. An answer of ours just
 * before that would leave the work to go on in the middle of the next invocation.
 */
export const serve = <Event, Result>({ logger, telemetry, failureMetric }: Serving) =>
  middy<Event, Result>({ timeoutEarlyInMillis: 0 }).use({
    before: ({ context }) => {
      logger.addContext(context);
      refuseClaims(context.clientContext);
    },
    after: () => telemetry?.publish(),
    onError: (request) => {
      const reporting = { logger, telemetry, failureMetric };
      request.error = reportError(reporting, request.error, request.context.awsRequestId);
      telemetry?.publish();
    },
  });
