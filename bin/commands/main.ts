import { Command, CommanderError } from "commander";
import mayfly from "../../package.json" with { type: "json" };
import { EXIT_HELP, ExitStatus, statusOf, wordsOf } from "../terminal/exit.ts";
import { type Io, say } from "../terminal/io.ts";
import { addBootstrap } from "./bootstrap.ts";
import { addCompletion } from "./completion.ts";
import { addConfig } from "./config-check.ts";
import { addConnect } from "./connect.ts";
import { addConverge } from "./converge.ts";
import { addExec } from "./exec.ts";
import { addInit } from "./init.ts";
import { addIssue } from "./issue.ts";
import { addLeases } from "./leases.ts";
import { addPsql } from "./psql.ts";
import { addRenew } from "./renew.ts";
import { addRevoke } from "./revoke.ts";
import { addStatus } from "./status.ts";
import { addSweep } from "./sweep.ts";
import { addVerbs } from "./verbs.ts";
import { addVerify } from "./verify.ts";
import { addWhois } from "./whois.ts";

const ABOUT = `Short-lived PostgreSQL users of a deployed stack: ask for one, list them, end
them.

Account, Region and endpoint come from AWS's usual variables: AWS_PROFILE,
AWS_REGION, AWS_ENDPOINT_URL. Data goes to stdout, messages go to stderr.`;

const COMMANDS = [
  addConnect,
  addExec,
  addPsql,
  addIssue,
  addRenew,
  addRevoke,
  addLeases,
  addStatus,
  addWhois,
  addSweep,
  addConverge,
  addBootstrap,
  addVerbs,
  addConfig,
  addVerify,
  addInit,
  addCompletion,
];

/** The commands that run another one, which stands after `--`. */
const RUNNING: readonly (string | undefined)[] = ["exec", "psql"];

/**
 * Every command with its options. Parsing rejects with the error of a command or of commander.
 *
 * @param commandLine the command that `exec` and `psql` run.
 */
export function makeProgram(io: Io, commandLine: readonly string[] = []): Command {
  const program = new Command("mayfly")
    .description(ABOUT)
    .version(mayfly.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "mayfly: ")),
    })
    .showHelpAfterError("(--help shows the options)");
  for (const add of COMMANDS) add(program, io, commandLine);
  withExitHelp(program);
  return program;
}

/** Run the program and return its exit status. `argv` begins after the program's name. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  // commander would not tell what stands before -- from what stands after it
  const dashes = RUNNING.includes(argv[0]) ? argv.indexOf("--") : -1;
  const own = dashes === -1 ? argv : argv.slice(0, dashes);
  const commandLine = dashes === -1 ? [] : argv.slice(dashes + 1);
  try {
    await makeProgram(io, commandLine).parseAsync([...own], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof ExitStatus) return error.status;
    if (!(error instanceof CommanderError)) say(io, `mayfly: ${wordsOf(error)}`);
    return statusOf(error);
  }
}

function withExitHelp(command: Command): void {
  command.addHelpText("after", EXIT_HELP);
  for (const each of command.commands) withExitHelp(each);
}
