import type { Command } from "commander";
import { withConnection } from "../../proxy/connection-variables.ts";
import { type DoorOptions, doorFor } from "../../proxy/door.ts";
import { findProgram } from "../../proxy/find-program.ts";
import { type HealthOptions, healthPortIn } from "../../proxy/health-port.ts";
import { needNode } from "../../proxy/need-node.ts";
import { isOnTerminal, runCommand } from "../../proxy/run-command.ts";
import { firstEnvironment } from "../../start/node-flags.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";
import { type LeaseOptions, withLease } from "./which-lease.ts";
import { withProxy } from "./with-proxy.ts";

interface ExecOptions extends LeaseOptions, DoorOptions, HealthOptions {
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
    .option("--json", "log lines as JSON documents")
    .action(async (name: string | undefined, options: ExecOptions) => {
      const { socket, privateLoopback, json, ...lease } = options;
      const health = healthPortIn(options);
      needNode("exec");
      const [wanted, ...args] = commandLine;
      const file = programFor(wanted);
      const door = doorFor({ socket, privateLoopback });
      const log = {
        write: (line: string) => say(io, line),
        asJson: json === true,
        withInfo: json === true,
      };
      await withProxy({ name, options: lease, door, health, log }, ({ open, signals }) => {
        const env = withConnection(firstEnvironment(process.env), open.address);
        return runCommand({ file, args, env, onTerminal: isOnTerminal() }, signals);
      });
    });
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
