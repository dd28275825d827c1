import { AwsError } from "../http/aws-error.ts";
import type { LambdaInstance } from "./lambda-instance.ts";

/** How long a call waits for a process before it is throttled. Milliseconds. */
const LONGEST_WAIT = 60_000;

/** Why Lambda throttles a call. */
export type Throttle =
  | "ConcurrentInvocationLimitExceeded"
  | "ReservedFunctionConcurrentInvocationLimitExceeded";

/** What Lambda answers to a call that is one too many. */
export const throttled = (Reason: Throttle): AwsError =>
  new AwsError("TooManyRequestsException", "Rate Exceeded.", {
    status: 429,
    details: { Reason, Type: "User" },
  });

/**
 * How many processes all functions have at the same time, on one machine. Calls beyond that wait in
 * their order; an idle process ends for one that is needed.
 */
export class ProcessLimit {
  readonly #most: number;
  readonly #waiting = new Set<() => void>();
  readonly #live = new Set<LambdaInstance>();
  /** Longest idle first, with how its function ends it. */
  readonly #idle = new Map<LambdaInstance, () => Promise<void>>();
  readonly #ending = new Set<Promise<void>>();
  #calls = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** How many processes there are, idle ones included. */
  get processes(): number {
    return this.#live.size;
  }

  /** Do something with a process. @throws AwsError `TooManyRequestsException` after a minute's wait. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#calls >= this.#most) await this.#waitInLine();
    else this.#calls++;
    try {
      return await task();
    } finally {
      // whoever waits longest takes this call's place
      const [next] = this.#waiting;
      if (next === undefined) this.#calls--;
      else next();
    }
  }

  #waitInLine(): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(go);
        reject(throttled("ConcurrentInvocationLimitExceeded"));
      }, LONGEST_WAIT);
      this.#waiting.add(go);
    });
  }

  /** Start a process, within `run`. */
  async start(instance: LambdaInstance): Promise<void> {
    while (this.#live.size >= this.#most) await this.#endOldestIdle();
    this.#live.add(instance);
    await instance.start();
  }

  /** A process waits for its function's next event. `end` ends it for another function's sake. */
  rest(instance: LambdaInstance, end: () => Promise<void>): void {
    this.#idle.set(instance, end);
  }

  /** A process waits no longer. */
  wake(instance: LambdaInstance): void {
    this.#idle.delete(instance);
  }

  /** End a process. Safe to repeat. */
  async end(instance: LambdaInstance): Promise<void> {
    this.#idle.delete(instance);
    const ending = instance.stop().finally(() => {
      this.#live.delete(instance);
      this.#ending.delete(ending);
    });
    this.#ending.add(ending);
    await ending;
  }

  async #endOldestIdle(): Promise<void> {
    const [oldest] = this.#idle.values();
    await (oldest === undefined ? Promise.race(this.#ending) : oldest());
  }
}
