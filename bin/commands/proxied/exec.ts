import type { Command } from "commander";
import { withConnection } from "../../proxy/connection-variables.ts";
import { type DoorOptions, doorFor } from "../../proxy/door.ts";
import type { FileOptions } from "../../proxy/file-options.ts";
import { findProgram } from "../../proxy/find-program.ts";
import { type HealthOptions, healthPortIn } from "../../proxy/health-port.ts";
import { needNode } from "../../proxy/need-node.ts";
import { addTo } from "../../proxy/repeated-option.ts";
import { isOnTerminal, runCommand } from "../../proxy/run-command.ts";
import { firstEnvironment } from "../../start/node-flags.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";
import { type LeaseOptions, withLease } from "./which-lease.ts";
import { withProxy } from "./with-proxy.ts";

interface ExecOptions extends LeaseOptions, DoorOptions, HealthOptions, FileOptions {
  readonly restartOnChange?: boolean;
  readonly json?: boolean;
}

/**
 * `mayfly exec`: run a command whose environment has a database.
 *
 * @param commandLine what stands after `--`.
 */
export function addExec(program: Command, io: Io, commandLine: readonly string[]): void {
  const command = program
    .command("exec")
    .description("run a command with PG* and DATABASE_URL of a proxy that follows the leases")
    .usage("[options] [database/role] -- <command> [arguments...]");
  withLease(command)
    .option("--socket", "a Unix socket of this user alone, instead of a port with a password")
    .option("--private-loopback", "no password: nobody else is on this loopback, as in a pod")
    .option("--health <port>", "answer /livez and /readyz (a login works now) on 127.0.0.1")
    .option("--health-token <file>", "the token that /readyz wants; made if there is none")
    .option("--file <format:path>", "no proxy: write the login to a file; repeatable", addTo, [])
    .option("--template <source:path>", "no proxy: write it by a template; repeatable", addTo, [])
    .option("--restart-on-change", "start the command again when its files have the next login")
    .option("--json", "log lines as JSON documents")
    .action(async (name: string | undefined, options: ExecOptions) => {
      const { socket, privateLoopback, json, file, template, restartOnChange, ...lease } = options;
      const health = healthPortIn(options);
      needNode("exec");
      const [wanted, ...args] = commandLine;
      const log = {
        write: (line: string) => say(io, line),
        asJson: json === true,
        withInfo: json === true,
      };
      const run = { name, options: lease, log };
      const command = { file: programFor(wanted), args, onTerminal: isOnTerminal() };
      const env = firstEnvironment(process.env);
      if (wantsFiles(options)) {
        const { runWithFiles } = await import("./with-files.ts");
        const restartsOnChange = restartOnChange === true;
        const files = { file, template };
        await runWithFiles({ ...run, command: { ...command, env }, files, restartsOnChange });
        return;
      }
      const door = doorFor({ socket, privateLoopback });
      await withProxy({ ...run, door, health }, ({ open, signals }) =>
        runCommand({ ...command, env: withConnection(env, open.address) }, signals),
      );
    });
}

/** With files a command connects by itself. @throws Failure for options that do not go together */
function wantsFiles(options: ExecOptions): boolean {
  const { file, template, restartOnChange, socket, privateLoopback, health } = options;
  const hasFiles = file.length + template.length > 0;
  if (!hasFiles && restartOnChange === true)
    throw new Failure(
      Exit.usage,
      "--restart-on-change is about files; the proxy follows leases without a restart: leave it out",
    );
  const ofProxy = { "--socket": socket, "--private-loopback": privateLoopback, "--health": health };
  const [stray] = Object.entries(ofProxy).find(([, value]) => value !== undefined) ?? [];
  if (hasFiles && stray !== undefined)
    throw new Failure(
      Exit.usage,
      `${stray} is about the proxy, and with files there is none; leave one of them out`,
    );
  return hasFiles;
}

function programFor(name: string | undefined): string {
  if (name === undefined)
    throw new Failure(
      Exit.usage,
      "no command to run; put it after --, e.g. mayfly exec orders/readonly -- npm start",
    );
  const file = findProgram(name, process.env.PATH);
  if (file !== undefined) return file;
  throw new Failure(
    Exit.noCommand,
    `there is no command ${JSON.stringify(name.slice(0, 60))} on PATH that may be run; check its name`,
  );
}
