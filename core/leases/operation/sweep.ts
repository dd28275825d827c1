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
import { lookAtWatched, type WatchedSummary } from "./watch.ts";

/** The report of one sweep. */
export interface SweepReport {
  readonly live: number;
  readonly revoked: number;
  readonly quarantined: number;
  /** Latched, but a reader could not be checked; the next sweep checks again. */
  readonly unverified: number;
  /** Due leases that this sweep had no time for, or that failed; the next sweep tries them. */
  readonly left: number;
  /**
   * The leases whose revocation or schedule failed, and why. At most 1,000; each also has an audit
   * line.
   */
  readonly failed: readonly FailedLease[];
  /** Live leases without a schedule that got one. */
  readonly schedulesMade: number;
  /** Schedules whose lease is gone. */
  readonly schedulesRemoved: number;
  /** Ended sessions of dropped roles whose incarnation was a lease's. */
  readonly stragglersEnded: number;
  /** Sessions of dropped roles that are not known to be leases: reported, not touched. */
  readonly unknownSessions: number;
  /** Members of dynamic roles' groups that Mayfly did not create: reported, not touched. */
  readonly unknownMembers: readonly { readonly role: string; readonly member: string }[];
  /**
   * Objects owned by dynamic roles' groups and other Mayfly roles that should own nothing: not
   * touched.
   */
  readonly strays: readonly Stray[];
  /** Readers that could not be checked for such sessions; undefined if there are none. */
  readonly unseen?: readonly UnseenReader[];
  readonly foreign: readonly ForeignRole[];
  /**
   * Rotated secrets that are older than 1.5 times their period; undefined if the stack has no
   * rotated secrets.
   */
  readonly secretsOverdue?: readonly string[];
  /**
   * How many users are watched, and how many of them had a session on a server that was looked at;
   * or why that is not known. Undefined if none are watched, or there was no time.
   */
  readonly watched?: WatchedSummary;
  /** Whether the leases belong to this server. Leases of another server were all revoked. */
  readonly server: "same" | "other" | "unknown";
}

export interface SweepOptions {
  readonly actor: Actor;
  /** Whether there is time for one more revocation. */
  readonly mayContinue: () => boolean;
  /** Retry leases that are in quarantine for over an hour only once an hour. @default false */
  readonly backsOff?: boolean;
  /** Measures how old the rotated secrets are, and names those that are overdue. Never rejects. */
  readonly secretsOverdue?: () => Promise<readonly string[]>;
}

/**
 * Compare the database with the schedules, in both directions, and repair what is missing.
 *
 * Due leases are revoked even if Scheduler cannot be reached: the sweep exists for that.
 *
 * Schedules are read before leases. A schedule is created after its lease is committed, so a listed
 * schedule whose lease is not found later has no lease. A lease that is created in between may seem
 * to have no schedule; creating it again finds the name taken.
 *
 * Leases that may have sessions come first: one consumer's quarantine or litter must not use up the
 * time that another consumer's due lease needs. A sweep that runs every few minutes backs off from
 * leases that stay in quarantine.
 *
 * On a copy, a restored or a promoted server every lease is due, because revoked leases may be
 * back. The stamp is updated when none can log in any more, so a sweep that dies earlier is
 * repeated.
 *
 * A sweep that fails half way still reports what it knew: overdue leases must raise the alarm
 * whatever else is wrong.
 */
export async function sweep(all: LeaseDeps, options: SweepOptions): Promise<SweepReport> {
  const seen: Seen = {};
  try {
    return await sweepTelling(all, options, seen);
  } finally {
    tell(all, seen);
  }
}

/** The known part of the report; complete when the sweep has finished. */
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
    // until they are revoked; before its last page, a list cannot prove that there are none
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
  const watched = options.mayContinue() ? await lookAtWatched(deps) : {};
  const secrets = await lookAtSecrets(options);
  const listed = failed.slice(0, MOST_FAILURES_LISTED);
  const report = {
    ...tally,
    failed: listed,
    ...orphans,
    ...unknown,
    ...watched,
    ...secrets,
    foreign,
    server,
  };
  Object.assign(seen, report);
  if (schedules === undefined) throw failure;
  return report;
}

/** As many failures as fit into an answer, however long their reasons are. */
const MOST_FAILURES_LISTED = 1_000;

/** After Scheduler has failed, do not call it again for each lease: each call takes seconds. */
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

/** A lease that is in quarantine for longer is unlikely to be cleared within minutes. */
const FRESH = minutes(60);
/** How often the sweeper runs, and how many times within {@link FRESH}. */
const PERIOD = minutes(5);
const SWEEPS_IN_FRESH = FRESH / PERIOD;

/**
 * Whether this sweep retries a latched lease. A hash of the name spreads old leases over the sweeps
 * of an hour.
 */
function isTriedNow({ name, record }: Lease, now: Instant): boolean {
  const { latchedAt, unverifiedAt } = record ?? {};
  // an unchecked reader may have a session
  if (latchedAt === undefined || unverifiedAt !== undefined) return true;
  if (between(latchedAt, now) < FRESH) return true;
  const letters = Array.from(name.random, (letter) => letter.charCodeAt(0));
  const hash = letters.reduce((sum, code) => sum + code, 0);
  return hash % SWEEPS_IN_FRESH === Math.floor(now / PERIOD) % SWEEPS_IN_FRESH;
}

/** The outcome for one lease. `left`: for the next sweep. */
type SweptState = "revoked" | "quarantined" | "unverified" | "left" | "live";

/** Most leases that are revoked together: a stuck lease delays only these. */
const BATCH = 200;

/** Revoke leases grouped by issuer role, so that few transactions are needed. */
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

/** A schedule that has not fired this long after its time will never fire. */
const STALE = minutes(10);

/** Whether a live lease has a schedule at or before its expiry. */
function hasSchedule(
  expiresAt: Instant,
  schedules: readonly ListedSchedule[],
  now: Instant,
): boolean {
  const last = epochSecondsCeil(expiresAt);
  const first = epochSecondsCeil(now) - toSeconds(STALE);
  return schedules.some(({ recheck, atEpochSeconds: at }) => !recheck && at >= first && at <= last);
}

/** @returns why the schedule could not be created. */
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

/**
 * End the sessions of dropped leases, by the incarnation in their schedules, and remove these
 * schedules.
 */
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
      // if name and input do not match, Mayfly did not create the schedule; its incarnation means
      // nothing
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
        // the incarnation is known only from the schedule: keep it until every server was checked
        if (unseenIn(seen).length > 0) continue;
      }
      await deps.scheduler.remove(schedule);
      schedulesRemoved += 1;
    }
  }
  return { schedulesRemoved, stragglersEnded };
}

/** Sessions on any server whose role is gone, and group members that Mayfly did not create. */
async function findUnknown(
  deps: LeaseDeps,
): Promise<Pick<SweepReport, "unknownSessions" | "unknownMembers" | "strays" | "unseen">> {
  const { sessions, members } = await deps.engine.findUnknown();
  // a lease may have created so many objects that this takes too long: report it and go on
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

/** Done last, and only if time is left: due leases are more important. */
const lookAtSecrets = async ({
  mayContinue,
  secretsOverdue,
}: SweepOptions): Promise<Pick<SweepReport, "secretsOverdue">> =>
  secretsOverdue === undefined || !mayContinue() ? {} : { secretsOverdue: await secretsOverdue() };

const sumOf = (strays: readonly Stray[]): number =>
  strays.reduce((sum, { count }) => sum + count, 0);

/**
 * Metrics of a finished sweep. An unfinished sweep sends no `LiveLeases`, which raises the alarm
 * for a silent sweeper.
 */
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
  // each failure has its own line
  const { failed = [], ...report } = seen;
  if (seen.live !== undefined)
    telemetry.audit({ event: "sweep.finished", ...report, failed: failed.length });
}
