import { type Duration, milliseconds, type Time } from "../../../core/time.ts";
import { fromPgError, sqlStateOf } from "./from-pg-error.ts";
import { CONTENDED, DENIED } from "./sqlstates.ts";

/** What time and chance a retry has. */
export interface RetryDeps {
  readonly time: Pick<Time, "wait">;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const ATTEMPTS = 6;
/** A privilege that is really missing stays missing. */
const ATTEMPTS_DENIED = 3;
const CAP = 200;

/** How long to wait after an attempt that was contended: more each time, and at random. */
export const pause = (attempt: number, random: () => number): Duration =>
  milliseconds(random() * Math.min(CAP, 5 * 2 ** attempt));

/**
 * Run an operation that reads its state anew each time, until it fails with none of `codes`, or the
 * attempts are used up.
 *
 * @throws the error of the last attempt, as it is.
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

/** As {@link retried}, while it is contended. @throws MayflyError of the last attempt. */
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
