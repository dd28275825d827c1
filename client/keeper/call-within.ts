import type { Duration } from "../../core/time.ts";
import type { ClientTime } from "../time.ts";
import { waitFor } from "./shared-call.ts";

/**
 * Wait for a call, but not longer than `limit`.
 *
 * @param abort ends the call: with `late` when the time is over, or by somebody else.
 * @throws what the call throws, or the reason of `abort`.
 */
export async function callWithin<T>(
  call: (signal: AbortSignal) => Promise<T>,
  {
    limit,
    late,
    abort,
    time,
  }: {
    readonly limit: Duration;
    readonly late: Error;
    readonly abort: AbortController;
    readonly time: ClientTime;
  },
): Promise<T> {
  const answered = new AbortController();
  void time.wait(limit, answered.signal).then(() => {
    if (!answered.signal.aborted) abort.abort(late);
  });
  try {
    return await waitFor(call(abort.signal), abort.signal);
  } finally {
    answered.abort("answered"); // the default reason is an error, with a stack
  }
}
