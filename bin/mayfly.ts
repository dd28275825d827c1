#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

startAgain();
const { main } = await import("./commands/main.ts");

// `mayfly leases | head` closes the pipe early, and a window takes its terminal along: a lease must
// be revoked all the same
const READER_IS_GONE = new Set<string | undefined>(["EPIPE", "EIO"]);
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (!READER_IS_GONE.has(error.code)) throw error;
  });

process.exitCode = await main(process.argv.slice(2), {
  in: process.stdin,
  out: process.stdout,
  err: process.stderr,
});
