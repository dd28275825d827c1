import type { Actor } from "../audit.ts";
import type { Lease } from "../lease.ts";
import { formatLeaseId, parseLeaseId } from "../lease-id.ts";
import { allPages } from "../list.ts";
import type { LeaseDeps, ScheduleInput, Scheduler } from "../ports.ts";
import { revokeLease } from "../revoke.ts";
import { endAllSessions } from "../sessions.ts";
import type { ProvisionPlan } from "./plan.ts";

/** Names of leases, by what came of them. */
export interface RevokedLeases {
  readonly revoked: readonly string[];
  /** Latched, but something keeps the role. */
  readonly quarantined: readonly string[];
  /** Still alive, as far as is known. */
  readonly failed: readonly string[];
  /** Named like leases, but none: never touched. */
  readonly foreign: readonly string[];
}

/** Whether a plan lets somebody hold this lease. */
export const isGranted =
  ({ grants, roles }: Pick<ProvisionPlan, "grants" | "roles">) =>
  ({ name }: Pick<Lease, "name">): boolean =>
    Object.hasOwn(roles, name.role) &&
    grants.some(({ consumer, role }) => consumer === name.consumer && role === name.role);

/**
 * Revoke every selected lease, due or not. The second looks that a revocation asks for are made at
 * the end, and not a minute later: there may be no schedule and no function left by then.
 */
export async function revokeLeases(
  deps: Omit<LeaseDeps, "scheduler">,
  selected: (lease: Lease) => boolean,
  actor: Actor = "provisioner",
): Promise<RevokedLeases> {
  const rechecks: ScheduleInput[] = [];
  const all: LeaseDeps = { ...deps, scheduler: collecting(rechecks) };
  const outcome = {
    revoked: [] as string[],
    quarantined: [] as string[],
    failed: [] as string[],
    foreign: [] as string[],
  };
  for await (const page of allPages(deps)) {
    outcome.foreign.push(...page.foreign.map(({ username }) => username));
    for (const lease of page.leases.filter(selected)) {
      const { username, oid, name } = lease;
      const id = parseLeaseId(formatLeaseId(deps.database, name.role, username));
      const options = { onlyIfDue: false, actor, roleOid: oid };
      await revokeLease(all, id, options).then(
        ({ state }) => outcome[state === "quarantined" ? state : "revoked"].push(username),
        () => outcome.failed.push(username),
      );
    }
  }
  for (const { leaseId, roleOid: oid } of rechecks)
    await endAllSessions(deps, { oid, username: parseLeaseId(leaseId).username });
  return outcome;
}

const collecting = (inputs: ScheduleInput[]): Scheduler => ({
  create: async (_, __, input) => {
    inputs.push(input);
    return "made";
  },
  names: async () => [],
  read: async () => undefined,
  remove: async () => {},
});
