import type { Logger } from "@aws-lambda-powertools/logger";
import type { MiddlewareObj } from "@middy/core";
import { MayflyError } from "../core/errors.ts";

/**
 * Let only our own words leave a function: a {@link MayflyError}'s name and message, or for a bug
 * the request id under which the log has its stack frames.
 *
 * The Node runtime logs every enumerable property of what a handler throws, and a driver's error
 * carries parts of the statement in `where`, `detail` and `internalQuery`.
 */
export function convertErrors<Event, Result>(logger: Logger): MiddlewareObj<Event, Result> {
  return {
    onError: (request) => {
      const { error } = request;
      if (error instanceof MayflyError) {
        logger.warn("request failed", { errorType: error.name, reason: error.message });
        request.error = bare(error.name, error.message);
        return;
      }
      const { awsRequestId } = request.context;
      logger.error("unexpected failure", { errorType: error?.name, frames: frames(error) });
      request.error = bare(
        "InternalError",
        `request ${awsRequestId} failed unexpectedly; the function's log has the details under this id`,
      );
    },
  };
}

/** The stack without its first lines, which hold the message. */
const frames = (error: Error | null | undefined): readonly string[] =>
  (error?.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));

function bare(name: string, message: string): Error {
  const error = new Error(message);
  Object.defineProperty(error, "name", { value: name, enumerable: false });
  error.stack = `${name}: ${message}`;
  return error;
}
