#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

// `mayfly agent` as one file, for machines without the package
startAgain("agent");
const { runProgram, newProgram, withExitHelp } = await import("./commands/program.ts");
const { addAgent } = await import("./commands/agent.ts");
const { processIo } = await import("./terminal/process-io.ts");

const io = processIo();
// the command line of `mayfly agent` works too
const argv = process.argv.slice(process.argv[2] === "agent" ? 3 : 2);
process.exitCode = await runProgram(
  async () => {
    const program = newProgram(io, "Logins for other programs, as mayfly agent keeps them.");
    addAgent(program, io);
    withExitHelp(program);
    return program;
  },
  ["agent", ...argv],
  io,
);
