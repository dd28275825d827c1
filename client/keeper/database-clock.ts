import { type Duration, type Instant, plus, seconds } from "../../core/time.ts";
import type { ClientTime } from "../time.ts";
import { awakeSince, elapsedSince, type Moment } from "./elapsed.ts";

/** The clocks of one machine drift less than this in a day, unless it slept or somebody set one. */
const DRIFT: Duration = seconds(5);

/**
 * The database's clock, as its answers show it. Leases are measured by it alone: this machine's
 * wall clock may be wrong by an hour, or be set.
 */
export class DatabaseClock {
  readonly #time: ClientTime;
  #known: { readonly now: Instant; readonly at: Moment } | undefined;
  #isGuess = false;

  constructor(time: ClientTime) {
    this.#time = time;
  }

  get isKnown(): boolean {
    return this.#known !== undefined;
  }

  /** The database's time was `now` at `at`, or a little before: the moment of asking is right. */
  learn(now: Instant, at: Moment): void {
    this.#known = { now, at };
    this.#isGuess = false;
  }

  /** Nobody knows what the database's time was at `at`. Doubtful until it is learnt. */
  guess(now: Instant, at: Moment): void {
    this.learn(now, at);
    this.#isGuess = true;
  }

  /** What was learnt may be wrong: ask before an end is believed. */
  doubt(): void {
    this.#isGuess = true;
  }

  /** The database's time, or a little later. */
  now(): Instant {
    const { now, at } = this.#anchor();
    return plus(now, elapsedSince(this.#time, at));
  }

  /** The database's time if the machine never slept: earlier than it is after a sleep. */
  atLeast(): Instant {
    const { now, at } = this.#anchor();
    return plus(now, awakeSince(this.#time, at));
  }

  /** Whether the machine slept, or the wall clock was set forward, since the time was learnt. */
  get isDoubtful(): boolean {
    return this.#isGuess || this.now() - this.atLeast() > DRIFT;
  }

  /** A time of the database by this machine's wall clock. */
  here(at: Instant): Instant {
    return (this.#time.now() + at - this.now()) as Instant;
  }

  #anchor(): { readonly now: Instant; readonly at: Moment } {
    if (this.#known === undefined) throw new Error("the database's time is not known yet");
    return this.#known;
  }
}
