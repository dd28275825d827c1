import type { ProvisionDeps } from "../dependencies.ts";

type Deps = Pick<ProvisionDeps, "scheduleGroup" | "log" | "warn">;

const REMEDY =
  "its schedules fire at a function that is gone, and delete themselves; once no lease can be alive, run: aws scheduler delete-schedule-group --name";

/** Delete the group after all its leases have ended. A failure is harmless, and only logged. */
export async function removeScheduleGroup({ scheduleGroup, log, warn }: Deps): Promise<void> {
  const group = scheduleGroup.name;
  await scheduleGroup.remove().then(
    () => log("schedule group deleted", { group }),
    (error: Error) =>
      warn(`the schedule group is kept, for it could not be deleted: ${REMEDY} ${group}`, {
        group,
        reason: error.message,
      }),
  );
}

/** Keep the group: it names the leases that may not have ended. */
export function keepScheduleGroup({ scheduleGroup: { name: group }, warn }: Deps): void {
  warn(
    `the schedule group is kept, for it holds the schedules of leases that were not seen to end: ${REMEDY} ${group}`,
    { group },
  );
}
