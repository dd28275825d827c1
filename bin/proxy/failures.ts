import { KeeperError } from "../../client/keeper/errors.ts";
import type { SourceFailure } from "../../client/keeper/keeper.ts";
import { ListenError } from "../../client/proxy/listener.ts";
import { Exit, Failure } from "../terminal/exit.ts";

const STATUSES: Readonly<Record<SourceFailure, Exit>> = {
  denied: Exit.notAllowed,
  absent: Exit.unavailable,
  limit: Exit.limit,
  throttled: Exit.tryAgain,
  unavailable: Exit.tryAgain,
  invalid: Exit.usage,
};

/** The exit status when there is no login for this reason. */
export const statusOfFailure = (failure: SourceFailure): Exit => STATUSES[failure];

/** An error of keeper or proxy with its exit status. Other errors are returned as they are. */
export function asFailure(error: unknown): unknown {
  if (error instanceof KeeperError)
    return new Failure(STATUSES[error.failure], error.message, { cause: error });
  if (error instanceof ListenError) return new Failure(Exit.usage, error.message, { cause: error });
  return error;
}
