import type { Command } from "commander";
import type { Status } from "../../../core/leases/operation/operate.ts";
import { type Io, print, say } from "../../terminal/io.ts";
import { count, table } from "../../terminal/table.ts";
import { findOperator, operatorAt, type StackOptions, withStackOptions } from "../find.ts";
import { sayWatched, watchedTable } from "./watched-users.ts";

/** `mayfly status`: count leases, and show when watched users were seen. */
export function addStatus(program: Command, io: Io): void {
  const command = program
    .command("status")
    .description("count leases, and say when watched users were seen, as an operator");
  withStackOptions(command).action(async (options: StackOptions) => {
    const ask = operatorAt(await findOperator(options));
    const status = (await ask({ action: "status" })) as Status;
    const { leases, foreign, watched = [], aliasUnsealed } = status;
    const rows = leases.map((each) => [each.role, each.consumer, each.state, String(each.count)]);
    const tables = [
      rows.length === 0 ? "" : table(["ROLE", "CONSUMER", "STATE", "COUNT"], rows),
      watchedTable(watched, Date.now()),
    ];
    print(io, options.json, status, tables.filter((each) => each !== "").join("\n\n"));
    if (options.json === true) return;
    const total = leases.reduce((sum, each) => sum + each.count, 0);
    say(io, count(total, "lease"));
    sayWatched(io, watched);
    if (aliasUnsealed === true)
      say(
        io,
        "aliasUnsealed: anybody with lambda:InvokeFunction on a consumer's alias can ask as that consumer",
      );
    if (foreign > 0)
      say(
        io,
        `${count(foreign, "role")} named like a lease, but not a lease; mayfly leases says why`,
      );
  });
}
