import type { ClientTime } from "../../client/time.ts";
import { type Duration, type Instant, milliseconds } from "../../core/time.ts";

interface Waiting {
  readonly at: number;
  isOver: boolean;
  readonly resolve: () => void;
}

export interface WorldOptions {
  /** Time moves by this at least: what happens within it, happens at its end. @default 1 ms */
  readonly tick?: Duration;
  /** Resolves when everybody waits for time to pass. @default - a turn of the event loop */
  readonly settle?: () => Promise<void>;
}

/** A machine's clocks in a {@link VirtualWorld}. */
export interface VirtualMachine extends ClientTime {
  /** Somebody sets the wall clock. */
  setWall(by: number): void;
}

/**
 * A world whose time moves when everybody waits: an hour of thousands of machines takes a second.
 * The time of machines begins with that of the world, which stands for the database's clock.
 */
export class VirtualWorld {
  #now: number;
  readonly #start: Instant;
  readonly #tick: Duration;
  readonly #settle: () => Promise<void>;
  readonly #heap: Waiting[] = [];

  constructor(start: Instant, options: WorldOptions = {}) {
    this.#now = start;
    this.#start = start;
    this.#tick = options.tick ?? milliseconds(1);
    this.#settle = options.settle ?? everybodyWaits;
  }

  now(): Instant {
    return this.#now as Instant;
  }

  /** Resolve when {@link run} has passed the time, in whole ticks since the start. */
  wait(length: Duration, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const passed = this.#now + length - this.#start;
      const at = this.#start + Math.ceil(passed / this.#tick) * this.#tick;
      const waiting: Waiting = { at, isOver: false, resolve };
      const abort = (): void => {
        waiting.isOver = true;
        resolve();
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#push(waiting);
    });
  }

  machine(): VirtualMachine {
    let wall = 0;
    const began = this.#now;
    return {
      now: () => (this.#now + wall) as Instant,
      monotonic: () => milliseconds(this.#now - began),
      wait: (length, signal) => this.wait(length, signal),
      setWall: (by) => {
        wall += by;
      },
    };
  }

  /** A machine that can be frozen: its timers and its monotonic clock stand still meanwhile. */
  laptop(): VirtualMachine & { freeze(length: Duration): Promise<void> } {
    const machine = this.machine();
    let asleep = 0;
    let wakeUp: Promise<void> = Promise.resolve();
    const wait = async (length: Duration, signal?: AbortSignal): Promise<void> => {
      const isAborted = (): boolean => signal?.aborted === true;
      for (let left = Math.ceil(length); left > 0 && !isAborted(); ) {
        const from = machine.monotonic() - asleep;
        await this.wait(milliseconds(left), signal);
        await wakeUp;
        left -= machine.monotonic() - asleep - from;
      }
    };
    return {
      ...machine,
      monotonic: () => milliseconds(machine.monotonic() - asleep),
      wait,
      freeze: async (length) => {
        wakeUp = this.wait(length).then(() => {
          asleep += length;
        });
        await this.run(length);
      },
    };
  }

  /** Let time pass, with all that happens meanwhile. */
  async run(length: Duration): Promise<void> {
    const end = this.#now + length;
    await this.#settle();
    for (let next = this.#next(); next !== undefined && next.at <= end; next = this.#next()) {
      this.#now = next.at;
      for (let due = this.#next(); due?.at === this.#now; due = this.#next()) {
        this.#pop();
        due.resolve();
      }
      await this.#settle();
    }
    this.#now = end;
    await this.#settle();
  }

  /** What an attempt brings, however long it takes. */
  async result<T>(attempt: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    attempt.then(over, over);
    await this.#settle();
    while (!isOver) {
      const next = this.#next();
      if (next === undefined) throw new Error("nobody waits for anything, and it is not over");
      await this.run(milliseconds(Math.max(0, next.at - this.#now)));
    }
    return attempt;
  }

  /** The wait that ends first, of those that nobody has aborted. */
  #next(): Waiting | undefined {
    while (this.#heap[0]?.isOver === true) this.#pop();
    return this.#heap[0];
  }

  #push(waiting: Waiting): void {
    const heap = this.#heap;
    let at = heap.push(waiting) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.at <= waiting.at) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = waiting;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = at * 2 + 1;
      const [left, right] = [heap[below], heap[below + 1]];
      if (left === undefined) break;
      if (right !== undefined && right.at < left.at) below += 1;
      const child = heap[below];
      if (child === undefined || last.at <= child.at) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

/** Promises are fulfilled one after the other before the next turn of the event loop. */
const everybodyWaits = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Numbers that look like chance, and are the same in each run. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
