import type { Logger } from "@aws-lambda-powertools/logger";
import type { AuditEvent } from "../../core/audit.ts";
import { MayflyError } from "../../core/errors.ts";
import type { Metric } from "../../core/metric.ts";
import { framesOf } from "../../core/reason.ts";
import type { LambdaTelemetry } from "./telemetry.ts";

/** Where a failure is told. */
export interface Reporting {
  readonly logger: Pick<Logger, "warn" | "error">;
  readonly telemetry?: Pick<LambdaTelemetry, "measure"> | undefined;
  /**
   * What counts a failure.
   * @default - `RequestsFailed` for what passes and for a bug, `RequestsRefused` for the rest
   */
  readonly failureMetric?: Metric | undefined;
}

/**
 * Log and count what was thrown.
 *
 * The Node runtime logs every enumerable property of what a handler throws, and a driver's error
 * carries parts of the statement in `where`, `detail` and `internalQuery`. So only a
 * {@link MayflyError}'s name and message leave a function; for a bug it is the request id under
 * which the log has the stack frames.
 *
 * @param facts what the lines say besides, such as which message of a batch it was.
 * @returns an error with our own words alone.
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

/** What counts an error: a refusal is somebody's to mend, unless it tells of a bug elsewhere. */
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
