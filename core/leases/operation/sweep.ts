import type { Actor } from "../../audit.ts";
import { between, epochSecondsCeil, type Instant, minutes, toSeconds } from "../../time.ts";
import { isDue, type Lease } from "../lease.ts";
import { formatLeaseId, parseLeaseId } from "../lease-id.ts";
import { parseLeaseName } from "../lease-name.ts";
import type { LeaseDeps, Metric, Stray } from "../lease-ports.ts";
import { askReaders, endEverywhere, forOnePass, type UnseenReader, unseenIn } from "../readers.ts";
import { adopt, RESTORE_ACTOR } from "../requests/restore.ts";
import { unseenStrays } from "../revocation/end-and-drop.ts";
import {
  type FailedLease,
  failedIn,
  type RevokeOptions,
  revokeMany,
} from "../revocation/revoke.ts";
import {
  parseScheduleName,
  type ScheduleName,
  scheduleRevocation,
} from "../revocation/schedules.ts";
import { judgeServer } from "../server.ts";
import { allPages, type ForeignRole } from "./list.ts";

/** What one sweep saw and did. */
export interface SweepReport {
  readonly live: number;
  readonly revoked: number;
  readonly quarantined: number;
  /** Latched, but a reader could not be looked at; the next sweep looks again. */
  readonly unverified: number;
  /** Due leases that this sweep had no time for, or that failed; the next one takes them. */
  readonly left: number;
  /**
   * What could not be done with which lease, and why: a revocation, or a schedule. At most 1,000 of
   * them; each has an audit line too.
   */
  readonly failed: readonly FailedLease[];
  /** Live leases that had no schedule and now have one. */
  readonly schedulesMade: number;
  /** Schedules whose lease is gone. */
  readonly schedulesRemoved: number;
  /** Sessions of roles that are gone, ended because their incarnation was that of a lease. */
  readonly stragglersEnded: number;
  /** Sessions of roles that are gone and were never known as leases: reported, not touched. */
  readonly unknownSessions: number;
  /** Members of the groups of dynamic roles that are not Mayfly's: reported, not touched. */
  readonly unknownMembers: readonly { readonly role: string; readonly member: string }[];
  /** What the groups of dynamic roles own, and other roles of Mayfly's that should own nothing: not touched. */
  readonly strays: readonly Stray[];
  /** Readers that could not be asked for such sessions; absent when there is none. */
  readonly unseen?: readonly UnseenReader[];
  readonly foreign: readonly ForeignRole[];
  /** Rotated secrets that are older than 1.5 times their period; absent when there is none to look at. */
  readonly secretsOverdue?: readonly string[];
  /** Whether the leases are this server's; those of another one were all revoked. */
  readonly server: "same" | "other" | "unknown";
}

export interface SweepOptions {
  readonly actor: Actor;
  /** True while there is time for one more revocation. */
  readonly mayContinue: () => boolean;
  /** Try what has been in quarantine for an hour once an hour, not each time. @default false */
  readonly backsOff?: boolean;
  /** Measures how old the rotated secrets are, and names those that are overdue. Never rejects. */
  readonly secretsOverdue?: () => Promise<readonly string[]>;
}

/**
 * Compare the database with the schedules, in both directions, and mend what is missing.
 *
 * Leases that are due are revoked even when Scheduler cannot be asked: that is what the sweep is for.
 *
 * Schedules are read before leases: a schedule is made after its lease was committed, so one that
 * is listed and whose lease is not found later has none. A lease made in between may look as if it
 * had no schedule; making it once more finds the name taken.
 *
 * Leases that may have sessions come first, then what can wait: one consumer's quarantine or litter
 * must not use up the time that another's due lease needs. Whoever comes every few minutes backs off from
 * what stays.
 *
 * On a copy, a restored or a promoted server every lease is due, for some may be back that were
 * revoked. The stamp moves when none can log in any more, so a sweep that dies before is repeated.
 *
 * One that fails half way has told what it knew: leases that are overdue ring whatever else is wrong.
 */
export async function sweep(all: LeaseDeps, options: SweepOptions): Promise<SweepReport> {
  const seen: Seen = {};
  try {
    return await sweepTelling(all, options, seen);
  } finally {
    tell(all, seen);
  }
}

/** What of the report is known already; all of it when the sweep has finished. */
type Seen = { -readonly [Part in keyof SweepReport]?: SweepReport[Part] };

async function sweepTelling(
  all: LeaseDeps,
  options: SweepOptions,
  seen: Seen,
): Promise<SweepReport> {
  const deps = forOnePass(all);
  let failure: unknown;
  const schedules = await readSchedules(deps).catch((error: unknown) => {
    failure = error;
    return undefined;
  });
  const able = schedules === undefined ? withoutScheduler(deps, failure) : deps;
  const sighting = await deps.engine.sighting();
  const server = judgeServer(sighting);
  const isOther = server === "other";
  const how = { onlyIfDue: !isOther, actor: isOther ? RESTORE_ACTOR : options.actor };
  const known = new Set<string>();
  const due: Lease[] = [];
  const unscheduled: (Lease & { readonly expiresAt: Instant })[] = [];
  const latched: Lease[] = [];
  const foreign: ForeignRole[] = [];
  const failed: FailedLease[] = [];
  const tally = { live: 0, revoked: 0, quarantined: 0, unverified: 0, left: 0, schedulesMade: 0 };
  for await (const page of allPages(deps)) {
    for (const role of page.foreign) {
      foreign.push(role);
      known.add(parseLeaseName(role.username)?.random ?? "");
    }
    for (const lease of page.leases) {
      known.add(lease.name.random);
      if (!lease.canLogin) {
        if (isOther || options.backsOff !== true || isTriedNow(lease, page.now))
          latched.push(lease);
        else tally.quarantined += 1;
      } else if (isOther || isDue(lease, page.now)) due.push(lease);
      else {
        tally.live += 1;
        const { expiresAt } = lease;
        const own = schedules && (schedules.get(lease.name.random) ?? []);
        if (own && expiresAt !== undefined && !hasSchedule(expiresAt, own, page.now))
          unscheduled.push({ ...lease, expiresAt });
      }
    }
    // until they are revoked; of none at all a list says nothing before its last page
    if (due.length > 0) seen.left = due.length;
  }
  seen.foreign = foreign;
  const dueOnes = await revokeThem(able, due, how, options);
  for (const state of dueOnes.states) tally[state] += 1;
  failed.push(...dueOnes.failed);
  seen.left = tally.left;
  if (isOther) await adopt(deps, sighting, tally);
  for (const lease of unscheduled)
    if (options.mayContinue()) {
      const failure = await mendSchedule(deps, lease);
      if (failure === undefined) tally.schedulesMade += 1;
      else failed.push(failure);
    }
  const latchedOnes = await revokeThem(able, latched, how, options);
  for (const state of latchedOnes.states) tally[state] += 1;
  failed.push(...latchedOnes.failed);
  Object.assign(seen, { quarantined: tally.quarantined, unverified: tally.unverified });
  seen.left = tally.left;
  const orphans = await removeOrphans(deps, schedules ?? new Map(), known, options);
  seen.stragglersEnded = orphans.stragglersEnded;
  const unknown = await findUnknown(deps);
  const secrets = await lookAtSecrets(options);
  const listed = failed.slice(0, MOST_FAILURES_LISTED);
  const report = { ...tally, failed: listed, ...orphans, ...unknown, ...secrets, foreign, server };
  Object.assign(seen, report);
  if (schedules === undefined) throw failure;
  return report;
}

/** As many as an answer has room for, whatever the reasons say. */
const MOST_FAILURES_LISTED = 1_000;

/** A Scheduler that could not be asked is not asked again for each lease: that takes seconds. */
const withoutScheduler = (deps: LeaseDeps, failure: unknown): LeaseDeps => ({
  ...deps,
  scheduler: { ...deps.scheduler, create: () => Promise.reject(failure) },
});

type ListedSchedule = ScheduleName & { readonly name: string };
type Schedules = ReadonlyMap<string, readonly ListedSchedule[]>;

async function readSchedules({ scheduler }: LeaseDeps): Promise<Schedules> {
  const byLease = new Map<string, ListedSchedule[]>();
  for (const name of await scheduler.names()) {
    const parts = parseScheduleName(name);
    if (parts === undefined) continue;
    const list = byLease.get(parts.random) ?? [];
    list.push({ ...parts, name });
    byLease.set(parts.random, list);
  }
  return byLease;
}

/** What is in quarantine for longer will hardly be cleared within minutes. */
const FRESH = minutes(60);
/** How often the sweeper comes, and how many times in {@link FRESH}. */
const PERIOD = minutes(5);
const SWEEPS_IN_FRESH = FRESH / PERIOD;

/** Whether a latched lease is tried by the sweep of this moment: by its name, so that each has a turn. */
function isTriedNow({ name, record }: Lease, now: Instant): boolean {
  const { latchedAt, unverifiedAt } = record ?? {};
  // where a reader could not be looked at, there may be a session
  if (latchedAt === undefined || unverifiedAt !== undefined) return true;
  if (between(latchedAt, now) < FRESH) return true;
  const letters = Array.from(name.random, (letter) => letter.charCodeAt(0));
  const hash = letters.reduce((sum, code) => sum + code, 0);
  return hash % SWEEPS_IN_FRESH === Math.floor(now / PERIOD) % SWEEPS_IN_FRESH;
}

/** What a sweep made of one lease. `left`: for the next one. */
type SweptState = "revoked" | "quarantined" | "unverified" | "left" | "live";

/** Most leases that are revoked together: one that is stuck delays no more than these. */
const BATCH = 200;

/** Revoke leases by issuer role, so that few transactions do for many. */
async function revokeThem(
  deps: LeaseDeps,
  leases: readonly Lease[],
  how: RevokeOptions,
  { mayContinue }: SweepOptions,
): Promise<{ readonly states: readonly SweptState[]; readonly failed: readonly FailedLease[] }> {
  const sorted = leases.toSorted((a, b) => a.name.shard - b.name.shard);
  const states: SweptState[] = [];
  const failed: FailedLease[] = [];
  for (let start = 0; start < sorted.length; start += BATCH) {
    const batch = sorted.slice(start, start + BATCH);
    const done = mayContinue() ? await revokeMany(deps, batch, how) : [];
    failed.push(...failedIn(done));
    for (const [i] of batch.entries()) {
      const revocation = done[i];
      if (revocation === undefined || "error" in revocation) states.push("left");
      else if (revocation.receipt.state === "not due") states.push("live");
      else if (revocation.receipt.state === "gone") states.push("revoked");
      else states.push(revocation.receipt.state);
    }
  }
  return { states, failed };
}

/** A schedule that has not fired this long after its time will not. */
const STALE = minutes(10);

/** Whether one of a live lease's schedules stands at or before its expiry. */
function hasSchedule(
  expiresAt: Instant,
  schedules: readonly ListedSchedule[],
  now: Instant,
): boolean {
  const last = epochSecondsCeil(expiresAt);
  const first = epochSecondsCeil(now) - toSeconds(STALE);
  return schedules.some(({ recheck, atEpochSeconds: at }) => !recheck && at >= first && at <= last);
}

/** @returns why the schedule could not be made. */
async function mendSchedule(
  deps: LeaseDeps,
  { expiresAt, ...lease }: Lease & { readonly expiresAt: Instant },
): Promise<FailedLease | undefined> {
  const failure = await scheduleRevocation(deps, lease, expiresAt);
  if (failure === undefined) deps.telemetry.measure("SchedulesRepaired", 1);
  return (
    failure && {
      leaseId: formatLeaseId(deps.database, lease.name.role, lease.username),
      ...failure,
    }
  );
}

/** End what is left of leases that are gone, by the incarnation in their schedules, and remove those. */
async function removeOrphans(
  deps: LeaseDeps,
  schedules: Schedules,
  known: ReadonlySet<string>,
  { mayContinue }: SweepOptions,
): Promise<{ readonly schedulesRemoved: number; readonly stragglersEnded: number }> {
  let schedulesRemoved = 0;
  let stragglersEnded = 0;
  for (const [random, list] of schedules) {
    if (known.has(random)) continue;
    for (const { name: schedule } of list.filter(({ recheck }) => !recheck)) {
      if (!mayContinue()) return { schedulesRemoved, stragglersEnded };
      const input = await deps.scheduler.read(schedule);
      const lease = input && "leaseId" in input ? parseLeaseId(input.leaseId) : undefined;
      // whose name and input speak of two leases is none of ours, and says nothing about an incarnation
      if (
        input &&
        "incarnation" in input &&
        lease?.name.random === random &&
        lease.name.tag === deps.tag
      ) {
        const { username } = lease;
        const { incarnation } = input;
        const [seen = []] = await endEverywhere(deps, [{ username, incarnation }]);
        stragglersEnded += seen.reduce((sum, { ended }) => sum + ended, 0);
        // the schedule is what its incarnation is known by: it stays until every server was looked at
        if (unseenIn(seen).length > 0) continue;
      }
      await deps.scheduler.remove(schedule);
      schedulesRemoved += 1;
    }
  }
  return { schedulesRemoved, stragglersEnded };
}

/** Sessions on any server whose role is gone there, and members of groups that are not Mayfly's. */
async function findUnknown(
  deps: LeaseDeps,
): Promise<Pick<SweepReport, "unknownSessions" | "unknownMembers" | "strays" | "unseen">> {
  const { sessions, members } = await deps.engine.findUnknown();
  // a lease may have made so much that it takes too long: that is told, and keeps nothing else
  const strays = await deps.engine
    .findStrays()
    .catch((error: unknown) => [unseenStrays("unknown", error)]);
  const { answers, unseen } = await askReaders(deps, (reader) => reader.sessionsWithoutRole());
  return {
    unknownSessions: [sessions, ...answers].flat().length,
    unknownMembers: members,
    strays,
    ...(unseen.length > 0 && { unseen }),
  };
}

/** Last, and not when time is short: a lease that is due matters more. */
const lookAtSecrets = async ({
  mayContinue,
  secretsOverdue,
}: SweepOptions): Promise<Pick<SweepReport, "secretsOverdue">> =>
  secretsOverdue === undefined || !mayContinue() ? {} : { secretsOverdue: await secretsOverdue() };

const sumOf = (strays: readonly Stray[]): number =>
  strays.reduce((sum, { count }) => sum + count, 0);

/** A sweep that has not finished counts as none: what tells a silent sweeper is `LiveLeases`. */
function tell({ telemetry }: LeaseDeps, seen: Seen): void {
  const { foreign = [], unknownMembers = [], strays = [], stragglersEnded = 0 } = seen;
  const measure = (metric: Metric, value: number | undefined): void => {
    if (value !== undefined) telemetry.measure(metric, value);
  };
  for (const { username, why } of foreign)
    telemetry.audit({ event: "role.foreign", username, why });
  measure("LiveLeases", seen.live);
  measure("OverdueLeases", seen.left);
  measure("QuarantinedLeases", seen.quarantined);
  measure("UnverifiedLeases", seen.unverified);
  measure("ForeignRoles", seen.foreign?.length);
  for (const { role, member } of unknownMembers)
    telemetry.audit({ event: "role.foreign", username: member, why: `it is a member of ${role}` });
  for (const stray of strays) telemetry.audit({ event: "role.owns", ...stray });
  measure("UnknownSessions", seen.unknownSessions);
  measure("UnknownMembers", seen.unknownMembers?.length);
  measure("StrayObjects", seen.strays && sumOf(seen.strays));
  if (stragglersEnded > 0) telemetry.measure("StragglersEnded", stragglersEnded);
  // each failure has a line of its own
  const { failed = [], ...report } = seen;
  if (seen.live !== undefined)
    telemetry.audit({ event: "sweep.finished", ...report, failed: failed.length });
}
