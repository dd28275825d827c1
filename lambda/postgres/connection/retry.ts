import { type Duration, milliseconds, type Time } from "../../../core/time.ts";
import { fromPgError, sqlStateOf } from "./from-pg-error.ts";
import { CONTENDED, DENIED } from "./sqlstates.ts";

/** The clock and the random source of a retry. */
export interface RetryDeps {
  readonly time: Pick<Time, "wait">;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const ATTEMPTS = 6;
/** Attempts after a missing privilege: if it is really missing, more do not help. */
const ATTEMPTS_DENIED = 3;
const CAP = 200;

/** How long to wait after a contended attempt: longer each time, with jitter. */
export const pause = (attempt: number, random: () => number): Duration =>
  milliseconds(random() * Math.min(CAP, 5 * 2 ** attempt));

/**
 * Repeat an operation while it fails with one of `codes`, until the attempts are used up. It must
 * read its state again each time.
 *
 * @throws the error of the last attempt, unchanged.
 */
export async function retried<T>(
  { time, random }: RetryDeps,
  codes: ReadonlySet<string>,
  operation: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      const code = sqlStateOf(error);
      const most = code === DENIED ? ATTEMPTS_DENIED : ATTEMPTS;
      if (code === undefined || !codes.has(code) || attempt >= most) throw error;
      await time.wait(pause(attempt, random));
    }
  }
}

/** Like {@link retried}, for contention. @throws MayflyError of the last attempt. */
export async function retryContended<T>(
  step: string,
  deps: RetryDeps,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await retried(deps, CONTENDED, operation);
  } catch (error) {
    throw fromPgError(step, error);
  }
}
