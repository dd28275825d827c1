import type { Logger } from "@aws-lambda-powertools/logger";
import middy, { type MiddlewareObj } from "@middy/core";
import { MayflyError } from "../../core/errors.ts";
import type { LambdaTelemetry } from "./telemetry.ts";

/** A function that logs under its request id, publishes what it measured, and throws only our words. */
export const serve = <Event, Result>(logger: Logger, telemetry: LambdaTelemetry) =>
  middy<Event, Result>().use(publishing(logger, telemetry)).use(convertErrors(logger, telemetry));

function publishing<Event, Result>(
  logger: Logger,
  telemetry: LambdaTelemetry,
): MiddlewareObj<Event, Result> {
  const publish = (): void => telemetry.publish();
  return {
    before: ({ context }) => logger.addContext(context),
    after: publish,
    onError: publish,
  };
}

/**
 * Let only our own words leave a function: a {@link MayflyError}'s name and message, or for a bug
 * the request id under which the log has its stack frames.
 *
 * The Node runtime logs every enumerable property of what a handler throws, and a driver's error
 * carries parts of the statement in `where`, `detail` and `internalQuery`.
 */
export function convertErrors<Event, Result>(
  logger: Logger,
  telemetry?: LambdaTelemetry,
): MiddlewareObj<Event, Result> {
  return {
    onError: (request) => {
      const { error, context } = request;
      request.error = reportError({ logger, telemetry }, error, context.awsRequestId);
    },
  };
}

/** Where a failure is told. */
export interface Reporting {
  readonly logger: Pick<Logger, "warn" | "error">;
  readonly telemetry?: Pick<LambdaTelemetry, "measure"> | undefined;
}

/**
 * Log and count what was thrown.
 *
 * @param facts what the lines say besides, such as which message of a batch it was.
 * @returns an error with our own words alone.
 */
export function reportError(
  { logger, telemetry }: Reporting,
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
    telemetry?.measure(error.retryable ? "RequestsFailed" : "RequestsRefused", 1);
    return bare(error.name, error.message);
  }
  const thrown = error instanceof Error ? error : undefined;
  logger.error("unexpected failure", { errorType: thrown?.name, frames: frames(thrown), ...facts });
  telemetry?.measure("RequestsFailed", 1);
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
