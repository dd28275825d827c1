import type { Logger } from "@aws-lambda-powertools/logger";
import { MayflyError } from "../../core/errors.ts";
import type { Metric } from "../../core/metric.ts";
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
    logger.warn(error.retryable ? "request.failed" : "request.refused", {
      errorType: error.name,
      reason: error.message,
      ...facts,
    });
    const metric = error.retryable ? "RequestsFailed" : "RequestsRefused";
    telemetry?.measure(failureMetric ?? metric, 1);
    return bare(error.name, error.message);
  }
  const thrown = error instanceof Error ? error : undefined;
  logger.error("unexpected failure", { errorType: thrown?.name, frames: frames(thrown), ...facts });
  telemetry?.measure(failureMetric ?? "RequestsFailed", 1);
  return bare(
    "InternalError",
    `request ${requestId} failed unexpectedly; the function's log has the details under this id`,
  );
}

/** The stack without its first lines, which hold the message. */
const frames = (error: Error | undefined): readonly string[] =>
  (error?.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));

function bare(name: string, message: string): Error {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, enumerable: false });
  error.stack = `${name}: ${message}`;
  return error;
}
