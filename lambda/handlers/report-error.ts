import type { Logger } from "@aws-lambda-powertools/logger";
import type { AuditEvent } from "../../core/audit.ts";
import { MayflyError } from "../../core/errors.ts";
import type { Metric } from "../../core/metric.ts";
import { framesOf } from "../../core/reason.ts";
import type { LambdaTelemetry } from "./telemetry.ts";

/** The logger and the metrics for a failure. */
export interface Reporting {
  readonly logger: Pick<Logger, "warn" | "error">;
  readonly telemetry?: Pick<LambdaTelemetry, "measure"> | undefined;
  /**
   * The metric that counts a failure.
   * @default - `RequestsFailed` for temporary errors and bugs, `RequestsRefused` for all others
   */
  readonly failureMetric?: Metric | undefined;
}

/**
 * Log and count an error.
 *
 * The Node runtime logs every enumerable property of a thrown error, and a driver's error contains
 * parts of the statement in `where`, `detail` and `internalQuery`. So a function throws only the
 * name and message of a {@link MayflyError}; for a bug, the request id under which the log has the
 * stack frames.
 *
 * @param facts additional fields of the log lines, such as the id of a message.
 * @returns an error that contains only Mayfly's own text.
 */
export function reportError(
  { logger, telemetry, failureMetric }: Reporting,
  error: unknown,
  requestId: string,
  facts: Readonly<Record<string, string>> = {},
): Error {
  if (error instanceof MayflyError) {
    logger.warn(EVENT_OF[metricOf(error)], {
      errorType: error.name,
      reason: error.message,
      ...facts,
    });
    telemetry?.measure(failureMetric ?? metricOf(error), 1);
    return bare(error.name, error.message);
  }
  const { name } = error instanceof Error ? error : { name: typeof error };
  logger.error("unexpected failure", { errorType: name, frames: framesOf(error), ...facts });
  telemetry?.measure(failureMetric ?? metricOf(error), 1);
  return bare(
    "InternalError",
    `request ${requestId} failed unexpectedly; the function's log has the details under this id`,
  );
}

/**
 * The default metric of an error: a refusal must be fixed by its caller, unless it reports a bug
 * elsewhere.
 */
export const metricOf = (error: unknown): keyof typeof EVENT_OF =>
  error instanceof MayflyError && !error.retryable && error.name !== "InternalError"
    ? "RequestsRefused"
    : "RequestsFailed";

const EVENT_OF = {
  RequestsRefused: "request.refused",
  RequestsFailed: "request.failed",
} as const satisfies { readonly [each in Metric]?: AuditEvent["event"] };

function bare(name: string, message: string): Error {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, enumerable: false });
  error.stack = `${name}: ${message}`;
  return error;
}
