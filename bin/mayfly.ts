#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

startAgain(process.argv[2]);
const { main } = await import("./commands/main.ts");
const { processIo } = await import("./terminal/process-io.ts");

process.exitCode = await main(process.argv.slice(2), processIo());
