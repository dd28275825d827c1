import type { Command } from "commander";
import type { Io } from "../terminal/io.ts";
import { newProgram, runProgram, withExitHelp } from "./program.ts";

const ABOUT = `Short-lived PostgreSQL users of a deployed stack: ask for one, list them, end
them.

Account, Region and endpoint come from AWS's usual variables: AWS_PROFILE,
AWS_REGION, AWS_ENDPOINT_URL. Data goes to stdout, messages go to stderr.`;

/** Defines a command, with what stands after `--` if it takes that. */
type AddCommand = (program: Command, io: Io, commandLine: readonly string[]) => void;

/** Every command by its name. What a command needs is loaded when it is named. */
const COMMANDS: ReadonlyMap<string | undefined, () => Promise<AddCommand>> = new Map([
  ["agent", async () => (await import("./agent.ts")).addAgent],
  ["connect", async () => (await import("./proxied/connect.ts")).addConnect],
  ["exec", async () => (await import("./proxied/exec.ts")).addExec],
  ["psql", async () => (await import("./proxied/psql.ts")).addPsql],
  ["issue", async () => (await import("./issue.ts")).addIssue],
  ["renew", async () => (await import("./renew.ts")).addRenew],
  ["revoke", async () => (await import("./operator/revoke.ts")).addRevoke],
  ["leases", async () => (await import("./operator/leases.ts")).addLeases],
  ["status", async () => (await import("./operator/status.ts")).addStatus],
  ["whois", async () => (await import("./operator/whois.ts")).addWhois],
  ["sweep", async () => (await import("./operator/sweep.ts")).addSweep],
  ["converge", async () => (await import("./operator/converge.ts")).addConverge],
  ["bootstrap", async () => (await import("./setup/bootstrap.ts")).addBootstrap],
  ["verbs", async () => (await import("./setup/verbs.ts")).addVerbs],
  ["config", async () => (await import("./setup/config-check.ts")).addConfig],
  ["doctor", async () => (await import("./doctor.ts")).addDoctor],
  ["verify", async () => (await import("./verify.ts")).addVerify],
  ["inject", async () => (await import("./inject.ts")).addInject],
  ["init", async () => (await import("./setup/init.ts")).addInit],
  ["completion", async () => (await import("./completion.ts")).addCompletion],
]);

/** The command that is about all commands. */
const NEEDS_ALL = "completion";

/** The commands that run another one, which stands after `--`. */
const RUNNING: readonly (string | undefined)[] = ["exec", "psql"];

/**
 * Every command with its options, or the one that `name` names. Parsing rejects with the error of a
 * command or of commander.
 *
 * @param commandLine the command that `exec` and `psql` run.
 */
export async function makeProgram(
  io: Io,
  name?: string,
  commandLine: readonly string[] = [],
): Promise<Command> {
  const program = newProgram(io, ABOUT);
  const named = name === NEEDS_ALL ? undefined : COMMANDS.get(name);
  const adding = named === undefined ? [...COMMANDS.values()] : [named];
  for (const add of await Promise.all(adding.map((load) => load()))) add(program, io, commandLine);
  withExitHelp(program);
  return program;
}

/** Run the program and return its exit status. `argv` begins after the program's name. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  // commander would not tell what stands before -- from what stands after it
  const dashes = RUNNING.includes(argv[0]) ? argv.indexOf("--") : -1;
  const own = dashes === -1 ? argv : argv.slice(0, dashes);
  const commandLine = dashes === -1 ? [] : argv.slice(dashes + 1);
  return runProgram(() => makeProgram(io, argv[0], commandLine), own, io);
}
