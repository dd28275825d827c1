import { type Duration, seconds, toSeconds } from "../../../core/time.ts";
import { KeeperError } from "../../keeper/errors.ts";
import type { SourceFailure } from "../../keeper/keeper.ts";
import type { ClientTime } from "../../time.ts";
import type { Publication, PublishedLogin } from "../publication.ts";
import { SecretError } from "./secret-error.ts";

/** What passes by itself. The keeper paces its own calls. */
const PASSING: ReadonlySet<SourceFailure> = new Set(["unavailable", "throttled", "limit"]);
const BETWEEN_TRIES = seconds(1);

export interface Patience {
  readonly length: Duration;
  readonly time: ClientTime;
  /** The client is gone. */
  readonly signal: AbortSignal;
}

/**
 * The newest login. Waits for one, also while calls for it fail.
 *
 * @throws KeeperError if there is none, SecretError if none came in time, or the signal's reason.
 */
export async function readPatiently(
  publication: Publication,
  { length, time, signal }: Patience,
): Promise<PublishedLogin> {
  const late = new AbortController();
  const done = new AbortController();
  const until = AbortSignal.any([signal, late.signal]);
  let failure: KeeperError | undefined;
  void time
    .wait(length, AbortSignal.any([signal, done.signal]))
    .then(() => late.abort(failure ?? noLogin(publication.name, length)));
  try {
    for (;;) {
      try {
        return await publication.read(until);
      } catch (error) {
        const isPassing = error instanceof KeeperError && PASSING.has(error.failure);
        if (!isPassing || until.aborted) throw error;
        failure = error;
      }
      await time.wait(BETWEEN_TRIES, until);
      until.throwIfAborted();
    }
  } finally {
    done.abort();
  }
}

const noLogin = (name: string, length: Duration): SecretError =>
  new SecretError(
    "InternalServiceError",
    `no login of ${name} came within ${toSeconds(length)} s: ask again`,
  );
