#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

startAgain();
const { main } = await import("./commands/main.ts");

// `mayfly leases | head` closes the pipe early; that is not an error
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await main(process.argv.slice(2), {
  in: process.stdin,
  out: process.stdout,
  err: process.stderr,
});
