import { setTimeout as wait } from "node:timers/promises";

/** How long to look, and how often. Milliseconds. */
export interface Patience {
  /** @default 60,000: machines are slow, and nobody waits for longer than it takes */
  readonly within?: number;
  /** @default 50 */
  readonly every?: number;
}

/**
 * The first result of `check` that is neither `undefined` nor `false`. For what happens in another
 * process: it looks often, and stops looking as soon as it is so.
 *
 * @throws Error when time is up, with the last error of `check` as its cause.
 */
export async function eventually<Result>(
  check: () => Result | Promise<Result>,
  { within = 60_000, every = 50 }: Patience = {},
): Promise<Exclude<Result, undefined | false>> {
  const deadline = Date.now() + within;
  let cause: unknown;
  do {
    try {
      const result = await check();
      if (result !== undefined && result !== false)
        return result as Exclude<Result, undefined | false>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await wait(every);
  } while (Date.now() < deadline);
  throw new Error(`still not so after ${within} ms: ${check.toString()}`, { cause });
}
