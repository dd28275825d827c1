import type { Command } from "commander";
import { withConnection } from "../../proxy/connection-variables.ts";
import { findProgram } from "../../proxy/find-program.ts";
import { needNode } from "../../proxy/need-node.ts";
import { isOnTerminal, runCommand } from "../../proxy/run-command.ts";
import { firstEnvironment } from "../../start/node-flags.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";
import { type LeaseOptions, withLease } from "./which-lease.ts";
import { withProxy } from "./with-proxy.ts";

/**
 * `mayfly psql`: psql with a lease of its own. It connects through a Unix socket of this user, so
 * that it needs no password; `\c` takes the newest lease.
 *
 * @param args what stands after `--`: psql's arguments.
 */
export function addPsql(program: Command, io: Io, args: readonly string[]): void {
  const command = program
    .command("psql")
    .description("run psql with a lease of its own, which is revoked when psql ends")
    .usage("[options] [database/role] [-- <arguments of psql>...]");
  withLease(command).action(async (name: string | undefined, options: LeaseOptions) => {
    needNode("psql");
    const file = findProgram("psql", process.env.PATH);
    if (file === undefined)
      throw new Failure(
        Exit.noCommand,
        "psql is not on PATH; install PostgreSQL's client programs (postgresql-client, libpq)",
      );
    const log = { write: (line: string) => say(io, line), asJson: false, withInfo: false };
    await withProxy({ name, options, door: { kind: "socket" }, log }, ({ open, signals }) => {
      const env = withConnection(firstEnvironment(process.env), open.address);
      return runCommand({ file, args, env, onTerminal: isOnTerminal() }, signals);
    });
  });
}
