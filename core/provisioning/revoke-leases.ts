import type { Actor } from "../audit.ts";
import type { Lease } from "../leases/lease.ts";
import { parseLeaseId } from "../leases/lease-id.ts";
import type { LeaseDeps, ScheduleInput, Scheduler } from "../leases/lease-ports.ts";
import { allPages } from "../leases/operation/list.ts";
import { endEverywhere, forOnePass, unseenIn } from "../leases/readers.ts";
import { type Revocation, revokeMany } from "../leases/revocation/revoke.ts";
import type { ProvisionPlan } from "./plan.ts";

/** Names of leases, by outcome. */
export interface RevokedLeases {
  readonly revoked: readonly string[];
  /** Latched, but something blocks the DROP of the role. */
  readonly quarantined: readonly string[];
  /** Latched, but a reader could not be checked. */
  readonly unverified: readonly string[];
  /** Readers that could not be checked, or whose sessions did not end. */
  readonly unseen: readonly string[];
  /** Leases that may still be alive, and why. */
  readonly failed: readonly FailedRevocation[];
  /** Roles that are named like leases but are not leases: never touched. */
  readonly foreign: readonly string[];
}

type FailedRevocation = Extract<Revocation, { readonly error: unknown }>;

/** Whether a plan has the grant of this lease. */
export const isGranted =
  ({ grants, roles }: Pick<ProvisionPlan, "grants" | "roles">) =>
  ({ name }: Pick<Lease, "name">): boolean =>
    Object.hasOwn(roles, name.role) &&
    grants.some(({ consumer, role }) => consumer === name.consumer && role === name.role);

/**
 * Revoke every selected lease, due or not. The second check of a revocation is done at the end, not
 * a minute later: by then there may be no schedule and no function.
 */
export async function revokeLeases(
  given: Omit<LeaseDeps, "scheduler">,
  selected: (lease: Lease) => boolean,
  actor: Actor = "provisioner",
): Promise<RevokedLeases> {
  const deps = forOnePass(given);
  const rechecks: ScheduleInput[] = [];
  const all: LeaseDeps = { ...deps, scheduler: collecting(rechecks) };
  const outcome = {
    revoked: [] as string[],
    quarantined: [] as string[],
    unverified: [] as string[],
    failed: [] as FailedRevocation[],
    foreign: [] as string[],
  };
  const unseen = new Set<string>();
  for await (const page of allPages(deps)) {
    outcome.foreign.push(...page.foreign.map(({ username }) => username));
    const chosen = page.leases.filter(selected);
    const done = await revokeMany(all, chosen, { onlyIfDue: false, actor });
    for (const [i, { username }] of chosen.entries()) {
      const each = done[i];
      if (each === undefined) continue;
      if ("error" in each) outcome.failed.push(each);
      else {
        const { state, servers } = each.receipt;
        const isKept = state === "quarantined" || state === "unverified";
        outcome[isKept ? state : "revoked"].push(username);
        for (const { server, problem } of servers) if (problem !== undefined) unseen.add(server);
      }
    }
  }
  const second = rechecks.flatMap((input) => ("recheck" in input ? input.recheck : [input]));
  const dropped = second.map(({ leaseId, incarnation }) => ({
    ...parseLeaseId(leaseId),
    incarnation,
  }));
  for (const seen of dropped.length === 0 ? [] : await endEverywhere(deps, dropped))
    for (const server of unseenIn(seen)) unseen.add(server);
  return { ...outcome, unseen: [...unseen].toSorted() };
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
