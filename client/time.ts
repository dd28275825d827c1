import { type Duration, type Instant, milliseconds } from "../core/time.ts";

/** The only way the client reads clocks or waits: tests give it a time of their own. */
export interface ClientTime {
  /** The wall clock. Somebody may set it while we run. */
  now(): Instant;
  /** Since some moment. Never goes back, and may stand still while the machine sleeps. */
  monotonic(): Duration;
  /** Resolve after `length`, or at once when `signal` aborts. Never rejects. */
  wait(length: Duration, signal?: AbortSignal): Promise<void>;
}

/** `setTimeout` takes no more: a longer delay would end at once. Milliseconds, 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

function makeTime(keepsProcess: boolean): ClientTime {
  const waitOnce = (length: number, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, length);
      if (!keepsProcess) timer.unref();
      signal?.addEventListener("abort", done);
    });
  return {
    now: () => Date.now() as Instant,
    monotonic: () => milliseconds(performance.now()),
    wait: async (length, signal) => {
      for (let left: number = length; signal?.aborted !== true; left -= LONGEST_TIMER) {
        await waitOnce(Math.min(left, LONGEST_TIMER), signal);
        if (left <= LONGEST_TIMER) return;
      }
    },
  };
}

/** The clocks of this machine. */
export const systemTime: ClientTime = makeTime(true);

/** The same. Its waits do not keep the process from ending: for what runs beside the work. */
export const backgroundTime: ClientTime = makeTime(false);
