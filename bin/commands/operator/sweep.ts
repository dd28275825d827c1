import type { Command } from "commander";
import type { SweepReport } from "../../../core/leases/operation/sweep.ts";
import { Failure } from "../../terminal/exit.ts";
import { sayFailures, statusOfFailures } from "../../terminal/failures.ts";
import { type Io, print, say } from "../../terminal/io.ts";
import { facts } from "../../terminal/table.ts";
import { findOperator, operatorAt, type StackOptions, withStackOptions } from "../find.ts";
import { sayForeign } from "./leases.ts";

/** `mayfly sweep`: do now what the sweeper does every five minutes. */
export function addSweep(program: Command, io: Io): void {
  const command = program
    .command("sweep")
    .description("revoke due leases and repair schedules now, as an operator");
  withStackOptions(command).action(async (options: StackOptions) => {
    const ask = operatorAt(await findOperator(options));
    const report = (await ask({ action: "sweep" })) as SweepReport;
    const text = facts({
      live: report.live,
      revoked: report.revoked,
      "in quarantine": report.quarantined,
      unverified: report.unverified,
      "left for the next sweep": report.left,
      failed: report.failed.length,
      "schedules made": report.schedulesMade,
      "schedules removed": report.schedulesRemoved,
      "stragglers ended": report.stragglersEnded,
      "unknown sessions": report.unknownSessions,
      "unknown members": report.unknownMembers.length,
      "stray objects": report.strays.reduce((sum, { count }) => sum + count, 0),
      "readers out of reach": report.unseen?.map(({ server }) => server).join(", "),
      "watched users seen": watchedIn(report),
      server: report.server,
    });
    print(io, options.json, report, text);
    sayFailures(io, report.failed);
    for (const { server, reason } of report.unseen ?? []) say(io, `${server}: ${reason}`);
    sayForeign(io, report.foreign);
    for (const { role, member } of report.unknownMembers)
      say(
        io,
        `${member} is a member of ${role}, but Mayfly did not make it one: see docs/runbooks/unknown-members.md`,
      );
    for (const { owner, count, catalog, database } of report.strays)
      say(
        io,
        `${owner} owns ${count} of ${catalog} in ${database}: see docs/runbooks/stray-objects.md`,
      );
    if (report.failed.length > 0)
      throw new Failure(
        statusOfFailures(report.failed),
        "the sweep could not do everything; the reasons are printed above, and the next sweep tries again",
      );
  });
}

function watchedIn({ watched }: SweepReport): string | undefined {
  if (watched === undefined) return undefined;
  if ("reason" in watched) return `not known: ${watched.reason}`;
  return `${watched.seen} of ${watched.users}`;
}
