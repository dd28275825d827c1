import { AwsError } from "../http/aws-error.ts";
import type { LambdaInstance } from "./lambda-instance.ts";

/** How long a call waits for a process before it is throttled. Milliseconds. */
const LONGEST_WAIT = 60_000;

/** Why Lambda throttles a call. */
export type Throttle =
  | "ConcurrentInvocationLimitExceeded"
  | "ReservedFunctionConcurrentInvocationLimitExceeded";

/** Lambda's answer to a throttled call. */
export const throttled = (Reason: Throttle): AwsError =>
  new AwsError("TooManyRequestsException", "Rate Exceeded.", {
    status: 429,
    details: { Reason, Type: "User" },
  });

/** A call that waits for a process. */
interface Waiting {
  readonly isInner: boolean;
  readonly go: () => void;
}

/**
 * Limits the processes of all functions on one machine. Calls beyond the limit wait in their order;
 * an idle process ends if another is needed.
 *
 * A quarter is reserved for inner calls, which functions make. If functions that wait for an answer
 * used every process, no other function could answer.
 */
export class ProcessLimit {
  readonly #most: number;
  readonly #mostOuter: number;
  readonly #waiting = new Set<Waiting>();
  readonly #live = new Set<LambdaInstance>();
  /** The processes that were idle longest come first, each with a function that ends it. */
  readonly #idle = new Map<LambdaInstance, () => Promise<void>>();
  readonly #ending = new Set<Promise<void>>();
  #outerCalls = 0;
  #innerCalls = 0;

  constructor(most: number) {
    this.#most = most;
    this.#mostOuter = most - Math.floor(most / 4);
  }

  /** Number of processes, including idle ones. */
  get processes(): number {
    return this.#live.size;
  }

  /**
   * Run a task that needs a process.
   *
   * @param isInner whether a function makes this call.
   * @throws AwsError `TooManyRequestsException` after waiting for a minute.
   */
  async run<Result>(task: () => Promise<Result>, isInner = false): Promise<Result> {
    if (this.#mayStart(isInner)) this.#count(isInner, 1);
    else await this.#waitInLine(isInner);
    try {
      return await task();
    } finally {
      this.#count(isInner, -1);
      // inner calls first: each has another call waiting for it
      for (const kind of [true, false]) this.#admit(kind);
    }
  }

  #mayStart(isInner: boolean): boolean {
    const hasAny = this.#outerCalls + this.#innerCalls < this.#most;
    return hasAny && (isInner || this.#outerCalls < this.#mostOuter);
  }

  #count(isInner: boolean, change: 1 | -1): void {
    if (isInner) this.#innerCalls += change;
    else this.#outerCalls += change;
  }

  /** Start the calls of one kind that have waited longest, as far as the limit allows. */
  #admit(isInner: boolean): void {
    for (const each of this.#waiting) {
      if (each.isInner !== isInner) continue;
      if (!this.#mayStart(isInner)) return;
      this.#count(isInner, 1);
      each.go();
    }
  }

  #waitInLine(isInner: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        isInner,
        go: () => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(throttled("ConcurrentInvocationLimitExceeded"));
      }, LONGEST_WAIT);
      this.#waiting.add(waiting);
    });
  }

  /** Start a process, within `run`. */
  async start(instance: LambdaInstance): Promise<void> {
    while (this.#live.size >= this.#most) await this.#endOldestIdle();
    this.#live.add(instance);
    try {
      await instance.start();
    } catch (error) {
      // its place is free again: whoever waits for one would wait for ever
      await this.end(instance);
      throw error;
    }
  }

  /** Note that a process is idle. `end` ends it if another function needs its place. */
  rest(instance: LambdaInstance, end: () => Promise<void>): void {
    this.#idle.set(instance, end);
  }

  /** Note that a process is busy again. */
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
