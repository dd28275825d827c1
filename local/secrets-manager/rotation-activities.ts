import type { MovableClock } from "../clock.ts";
import type { Run } from "./rotation-run.ts";
import type { StoredSecret } from "./stored-secret.ts";

/** The state of the rotation of one secret. */
export interface Activity {
  run?: Run | undefined;
  /** How often the current rotation has failed. */
  failures: number;
  /** Cancels the next window. */
  window?: (() => void) | undefined;
  /** Cancels the next attempt after a failure. */
  retry?: (() => void) | undefined;
}

type Test = (activity: Activity) => boolean;

interface Watcher {
  readonly isOver: () => boolean;
  readonly resolve: () => void;
}

/** The state of all rotations, and ways to wait for their end. */
export class Activities {
  readonly #all = new Map<StoredSecret, Activity>();
  #watchers: readonly Watcher[] = [];

  of(secret: StoredSecret): Activity {
    const known = this.#all.get(secret);
    if (known !== undefined) return known;
    const activity: Activity = { failures: 0 };
    this.#all.set(secret, activity);
    return activity;
  }

  /** Start no more rotations, and end the current ones before their next step. */
  halt(secret: StoredSecret): void {
    const activity = this.of(secret);
    if (activity.run !== undefined) activity.run.cancelled = true;
    activity.window?.();
    activity.retry?.();
    activity.window = undefined;
    activity.retry = undefined;
    this.notice();
  }

  haltAll(): void {
    for (const secret of this.#all.keys()) this.halt(secret);
  }

  /** Wait until no rotation of a secret, or of any secret, is running. */
  idle(secret?: StoredSecret): Promise<void> {
    return this.#until(({ run }) => run === undefined, secret);
  }

  /** Wait until no rotation is running or will be attempted again. */
  finished(): Promise<void> {
    return this.#until(({ run, retry }) => run === undefined && retry === undefined);
  }

  /** Move the time forward. What is due meanwhile ends before the time moves on. Milliseconds. */
  async advance(clock: MovableClock, length: number): Promise<void> {
    const end = clock.now() + length;
    await this.idle();
    for (let { next } = clock; next !== undefined && next <= end; { next } = clock) {
      clock.moveTo(next);
      await this.idle();
    }
    clock.moveTo(end);
    await this.idle();
  }

  /** Notify those who wait for the end of a rotation. */
  notice(): void {
    const over = this.#watchers.filter(({ isOver }) => isOver());
    this.#watchers = this.#watchers.filter((each) => !over.includes(each));
    for (const { resolve } of over) resolve();
  }

  #until(test: Test, secret?: StoredSecret): Promise<void> {
    const isOver = (): boolean =>
      [...this.#all].every(([each, activity]) =>
        secret === undefined || each === secret ? test(activity) : true,
      );
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#watchers = [...this.#watchers, { isOver, resolve }];
    });
  }
}
