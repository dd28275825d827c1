import type { Io } from "./io.ts";

/** A pipe that was closed early, and a window that took its terminal along. */
const READER_IS_GONE = new Set<string | undefined>(["EPIPE", "EIO"]);

/**
 * The streams of this process. `mayfly leases | head` ends its reader early: a lease must be revoked
 * all the same.
 */
export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (!READER_IS_GONE.has(error.code)) throw error;
    });
  return { in: process.stdin, out: process.stdout, err: process.stderr };
}
