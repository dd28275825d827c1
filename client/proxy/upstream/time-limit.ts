import type { Socket } from "node:net";
import type { Duration } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";

/** What bounds one step with a socket. */
export interface TimeLimit {
  readonly time: ClientTime;
  readonly length: Duration;
  readonly signal: AbortSignal;
  /** The error if it takes longer. */
  readonly late: () => Error;
}

/**
 * Do one step with a socket. Destroys the socket if the step fails, takes too long, or is aborted.
 *
 * @throws the step's error, `late`'s, or the signal's reason.
 */
export async function withTimeLimit<T>(
  socket: Socket,
  { time, length, signal, late }: TimeLimit,
  step: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  let isLate = false;
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort);
  void time.wait(length, done.signal).then(() => {
    if (done.signal.aborted) return;
    isLate = true;
    socket.destroy();
  });
  try {
    signal.throwIfAborted();
    return await step();
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw isLate ? late() : error;
  } finally {
    done.abort();
    signal.removeEventListener("abort", abort);
  }
}
