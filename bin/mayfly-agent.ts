#!/usr/bin/env node
import { startAgain } from "./start/start-again.ts";

// `mayfly agent` as one file, for machines without the package; with the doctor, who is asked there
const isDoctor = process.argv[2] === "doctor";
startAgain(isDoctor ? "doctor" : "agent");
const { runProgram, newProgram, withExitHelp } = await import("./commands/program.ts");
const { processIo } = await import("./terminal/process-io.ts");

const io = processIo();
// the command line of `mayfly agent` works too
const argv = process.argv.slice(isDoctor || process.argv[2] === "agent" ? 3 : 2);
process.exitCode = await runProgram(
  async () => {
    const program = newProgram(io, "Logins for other programs, as mayfly agent keeps them.");
    if (isDoctor) (await import("./commands/doctor.ts")).addDoctor(program, io);
    else (await import("./commands/agent.ts")).addAgent(program, io);
    withExitHelp(program);
    return program;
  },
  [isDoctor ? "doctor" : "agent", ...argv],
  io,
);
