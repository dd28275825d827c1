#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

// `mayfly agent` as one file, for machines without the package
startAgain("agent");
const { runProgram, newProgram, withExitHelp } = await import("./commands/program.ts");
const { addAgent } = await import("./commands/agent.ts");
const { processIo } = await import("./terminal/process-io.ts");

const io = processIo();
process.exitCode = await runProgram(
  async () => {
    const program = newProgram(io, "Logins for other programs, as mayfly agent keeps them.");
    addAgent(program, io);
    withExitHelp(program);
    return program;
  },
  ["agent", ...process.argv.slice(2)],
  io,
);
