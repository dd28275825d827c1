import type { Command } from "commander";
import type { ConvergeReport } from "../../../core/provisioning/report.ts";
import { type Io, print, say } from "../../terminal/io.ts";
import { facts } from "../../terminal/table.ts";
import { findOperator, operatorAt, type StackOptions, withStackOptions } from "../find.ts";

/** `mayfly converge`: make the database match the deployed configuration again. */
export function addConverge(program: Command, io: Io): void {
  const command = program
    .command("converge")
    .description("undo what was changed in the database by hand, as an operator");
  withStackOptions(command).action(async (options: StackOptions) => {
    const ask = operatorAt(await findOperator(options));
    const report = (await ask({ action: "converge" })) as ConvergeReport;
    const text = facts({
      "roles made": report.rolesMade,
      "roles corrected": report.rolesCorrected,
      "roles dropped": report.rolesDropped,
      "memberships granted": report.membershipsGranted,
      "passwords set": report.passwordsSet,
      "privileges granted": report.privilegesGranted,
      "privileges withdrawn": report.privilegesWithdrawn,
      "watches begun": report.watchesBegun,
      "watches ended": report.watchesEnded,
      "leases revoked": report.leasesRevoked,
      "leases in quarantine": report.leasesQuarantined,
    });
    print(io, options.json, report, text);
    for (const warning of report.warnings) say(io, warning);
  });
}
