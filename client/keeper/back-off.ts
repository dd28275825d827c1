import { type Duration, milliseconds, minutes, seconds } from "../../core/time.ts";
import type { ClientTime } from "../time.ts";
import { elapsedSince, type Moment, momentOf } from "./elapsed.ts";
import type { KeeperError } from "./errors.ts";
import type { SourceFailure } from "./keeper.ts";

/** How retries slow down: the bound of the wait doubles from the first to the longest. */
export interface Pace {
  readonly first: Duration;
  readonly longest: Duration;
}

export const PACES: Readonly<Record<SourceFailure, Pace>> = {
  // passes by itself, often at once. A minute at most: a function that is back after an outage
  // meets 10,000 clients at 330 calls a second, and each is served within two minutes
  unavailable: { first: seconds(1), longest: minutes(1) },
  // AWS asks for less: start where the others have arrived after three failures
  throttled: { first: seconds(5), longest: minutes(2) },
  // a lease of somebody else must end. A quarter of an overlap leaves several tries within it
  limit: { first: seconds(10), longest: minutes(5) },
  // a permission takes up to a minute to reach all of AWS; after that, people are needed
  denied: { first: seconds(5), longest: minutes(5) },
  absent: { first: seconds(5), longest: minutes(5) },
  invalid: { first: seconds(5), longest: minutes(5) },
};

/**
 * How long to wait after a number of failures. The jitter comes after the cap, so that clients who
 * all reached it stay apart. Half of the first wait is certain, so that retries are never tight.
 *
 * @param failures in a row, 1 or more.
 * @param random uniform in [0, 1).
 */
export function waitAfter(failures: number, pace: Pace, random: () => number): Duration {
  const bound = Math.min(pace.longest, pace.first * 2 ** (failures - 1));
  return milliseconds(pace.first / 2 + random() * bound);
}

/** A wait between calls that fail. While it runs, nobody calls. */
export class BackOff {
  readonly #time: ClientTime;
  readonly #random: () => number;
  #failures = 0;
  #wait: { readonly since: Moment; readonly length: Duration } | undefined;
  #error: KeeperError | undefined;

  constructor(time: ClientTime, random: () => number) {
    this.#time = time;
    this.#random = random;
  }

  /** What remains of the wait; 0 if it does not run. */
  get left(): Duration {
    if (this.#wait === undefined) return milliseconds(0);
    const { since, length } = this.#wait;
    return milliseconds(Math.max(0, length - elapsedSince(this.#time, since)));
  }

  /** The last failure, while the wait after it runs. */
  get error(): KeeperError | undefined {
    return this.left > 0 ? this.#error : undefined;
  }

  /** Begin a wait. A failure of another kind begins with that kind's pace. */
  failed(error: KeeperError): void {
    if (this.#error?.failure !== error.failure) this.#failures = 0;
    this.#error = error;
    this.begin(PACES[error.failure]);
  }

  /** Begin a wait, longer than the one before, unless that one was over long ago. */
  begin(pace: Pace): void {
    const { since, length } = this.#wait ?? { since: momentOf(this.#time), length: 0 };
    if (elapsedSince(this.#time, since) - length > pace.longest) this.#failures = 0;
    this.#failures += 1;
    this.#wait = {
      since: momentOf(this.#time),
      length: waitAfter(this.#failures, pace, this.#random),
    };
  }

  end(): void {
    this.#failures = 0;
    this.#wait = undefined;
    this.#error = undefined;
  }
}
