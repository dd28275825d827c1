import type { Actor } from "../../../../core/audit.ts";
import { MayflyError, UnavailableError, withSubject } from "../../../../core/errors.ts";
import type { Lease } from "../../../../core/leases/lease.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { type Changes, changesOf } from "../../../../core/provisioning/report.ts";
import {
  isGranted,
  type RevokedLeases,
  revokeLeases,
} from "../../../../core/provisioning/revoke-leases.ts";
import type { Login } from "../../connection/login.ts";
import type { Session } from "../../connection/session.ts";
import { someOf } from "../check/problems.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { dropGroup, groupsOf, keepersOf } from "./drop-roles.ts";
import { type LeaseConnection, withLeases } from "./leases.ts";

/**
 * Attempts: a consumer may get a lease between two checks until the deployment replaces its issuer.
 */
const ROUNDS = 3;

/**
 * Revoke the leases whose grant was removed, and drop the groups of dynamic roles that are no
 * longer in the configuration.
 *
 * @throws MayflyError if a lease could not be revoked.
 */
export async function dismiss(
  deps: ProvisionDeps,
  { session }: ClusterConnection,
  plan: ProvisionPlan,
  issuer: Login,
): Promise<Changes> {
  const granted = isGranted(plan);
  const kept = new Set(Object.values(plan.roles).map(({ groupRole }) => groupRole));
  return withLeases(deps, plan, issuer, async (leases) => {
    const rounds: RevokedLeases[] = [];
    const revokeUngranted = async (): Promise<void> => {
      rounds.push(await revoke(deps, leases, (lease) => !granted(lease)));
    };
    await revokeUngranted();
    const removed = (await groupsOf(session, plan.tag)).filter((group) => !kept.has(group));
    const rolesDropped = await dropGroups(deps, session, plan.tag, removed, revokeUngranted);
    return changesOf(
      ...rounds.map(({ revoked }) => ({ leasesRevoked: revoked.length })),
      { leasesQuarantined: rounds.at(-1)?.quarantined.length ?? 0 },
      { rolesDropped },
    );
  });
}

/** Revoke leases, and log the result. @throws MayflyError if some are still alive. */
export async function revoke(
  { log, warn }: Pick<ProvisionDeps, "log" | "warn">,
  { deps }: LeaseConnection,
  selected: (lease: Lease) => boolean,
  actor?: Actor,
): Promise<RevokedLeases> {
  const done = await revokeLeases(deps, selected, actor);
  const { revoked, quarantined, unverified, unseen, failed } = done;
  if (revoked.length > 0) log("leases revoked", { count: revoked.length });
  if (quarantined.length > 0)
    warn("leases are latched, but something keeps their roles; see docs/revocation.md#quarantine", {
      count: quarantined.length,
      leases: someOf(quarantined),
    });
  if (unverified.length > 0)
    warn(
      "leases are latched, but a reader could not be looked at; see docs/revocation.md#unverified",
      { count: unverified.length, leases: someOf(unverified) },
    );
  if (unseen.length > 0)
    warn("sessions of leases may be left on readers", { servers: someOf(unseen) });
  if (failed.length > 0) throw failureOf(failed);
  return done;
}

/** The first error that is not temporary, otherwise the first. The log has all of them. */
function failureOf(failed: RevokedLeases["failed"]): unknown {
  const lasting = failed.find(({ error }) => !(error instanceof UnavailableError));
  const { leaseId, error } = lasting ?? failed[0] ?? {};
  if (!(error instanceof MayflyError)) return error;
  return withSubject(
    error,
    `${failed.length} leases could not be revoked, each with a line lease.failed in the log; ${leaseId}`,
  );
}

/**
 * Drop groups that are no longer needed. A group that owns objects is kept: dropping them could
 * lose data, and another owner would run a lease's code with its own privileges (C3).
 *
 * @returns the number of dropped groups.
 */
export async function dropGroups(
  { log, warn }: Pick<ProvisionDeps, "log" | "warn">,
  session: Session,
  tag: string,
  groups: readonly string[],
  revokeAgain: () => Promise<unknown>,
): Promise<number> {
  const keepers = Map.groupBy(await keepersOf(session, groups), ({ role }) => role);
  for (const [role, what] of keepers)
    warn(
      "a group role is kept, because something depends on it; have a DBA drop the objects that leases created, give them to nobody, then drop the role",
      {
        role,
        what: someOf(what.map((each) => each.what)),
      },
    );
  const busy: string[] = [];
  const free = groups.filter((each) => !keepers.has(each));
  for (const group of free)
    if (await droppedWithin(ROUNDS, session, tag, group, revokeAgain))
      log("group role dropped", { role: group });
    else busy.push(group);
  if (busy.length > 0)
    warn("group roles are kept: roles that are named like leases are in them", {
      roles: someOf(busy),
    });
  return free.length - busy.length;
}

async function droppedWithin(
  rounds: number,
  session: Session,
  tag: string,
  group: string,
  revokeAgain: () => Promise<unknown>,
): Promise<boolean> {
  for (let round = 1; round <= rounds; round++) {
    if (await dropGroup(session, tag, group)) return true;
    await revokeAgain();
  }
  return false;
}
