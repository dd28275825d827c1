import { milliseconds, type Time } from "../../../core/time.ts";
import { fromPgError, sqlStateOf } from "./from-pg-error.ts";

/**
 * What concurrent role DDL fails with although nothing is wrong (measured on 14 to 18): tuple
 * concurrently updated or deleted (XX000), deadlock, lock timeout, and names or rights that came or
 * went in between.
 */
export const CONTENDED: ReadonlySet<string> = new Set([
  "XX000",
  "40001",
  "40P01",
  "55P03",
  "42704",
  "23505",
  "42710",
  "42501",
]);

const ATTEMPTS = 6;
/** A privilege that is really missing stays missing. */
const ATTEMPTS_DENIED = 3;
const CAP = 200;

/**
 * Run an operation that reads its state anew each time, until it is not contended or the attempts
 * are used up.
 *
 * @throws MayflyError of the last attempt.
 */
export async function retryContended<T>(
  step: string,
  { time, random }: { readonly time: Time; readonly random: () => number },
  operation: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      const code = sqlStateOf(error);
      const most = code === "42501" ? ATTEMPTS_DENIED : ATTEMPTS;
      if (code === undefined || !CONTENDED.has(code) || attempt >= most)
        throw fromPgError(step, error);
      await time.wait(milliseconds(random() * Math.min(CAP, 5 * 2 ** attempt)));
    }
  }
}
