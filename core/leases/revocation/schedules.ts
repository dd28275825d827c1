import { InvalidRequestError } from "../../errors.ts";
import { auditedFacts, type ErrorFacts, factsOf } from "../../reason.ts";
import { between, epochSecondsCeil, type Instant, minutes, plus, seconds } from "../../time.ts";
import type { LeaseRef } from "../lease.ts";
import { formatLeaseId, parseLeaseId } from "../lease-id.ts";
import type { LeaseName } from "../lease-name.ts";
import type { LeaseDeps, ScheduledLease, ScheduleInput } from "../lease-ports.ts";

/** A parsed schedule name: `<random end of the lease>-<seconds since the epoch>`. */
export interface ScheduleName {
  readonly random: string;
  readonly atEpochSeconds: number;
  /**
   * True for the second check after a DROP, when the leases should be gone. It has the name of the
   * first of them.
   */
  readonly recheck: boolean;
}

export const scheduleName = ({ random }: LeaseName, atEpochSeconds: number): string =>
  `${random}-${atEpochSeconds}`;

const recheckName = (name: LeaseName, atEpochSeconds: number): string =>
  `${scheduleName(name, atEpochSeconds)}-recheck`;

const PATTERN = /^([a-z2-7]{12})-(\d{1,12})(-recheck)?$/;

/** The parts of a schedule's name. Undefined if it is not one of Mayfly's. */
export function parseScheduleName(name: string): ScheduleName | undefined {
  const [, random, at, recheck] = PATTERN.exec(name) ?? [];
  if (!random || !at) return undefined;
  return { random, atEpochSeconds: Number(at), recheck: recheck !== undefined };
}

/** The input of a schedule. Undefined if Mayfly did not write it. */
export function parseScheduleInput(value: unknown): ScheduleInput | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("recheck" in value)) return parseScheduled(value);
  const { recheck, ...rest } = value;
  if (!Array.isArray(recheck) || Object.keys(rest).length > 0) return undefined;
  const leases = recheck.map(parseScheduled);
  if (leases.length === 0 || leases.length > MAX_RECHECKED) return undefined;
  const whole = leases.filter((each) => each !== undefined);
  return whole.length === leases.length ? { recheck: whole } : undefined;
}

function parseScheduled(value: unknown): ScheduledLease | undefined {
  const { leaseId, incarnation, ...rest } = (value ?? {}) as Record<string, unknown>;
  if (typeof leaseId !== "string" || Object.keys(rest).length > 0) return undefined;
  if (typeof incarnation !== "string" || !INCARNATION.test(incarnation)) return undefined;
  try {
    parseLeaseId(leaseId);
  } catch (error) {
    if (error instanceof InvalidRequestError) return undefined;
    throw error;
  }
  return { leaseId, incarnation };
}

/** The pattern of incarnations. */
const INCARNATION = /^[A-Za-z0-9-]{1,40}$/;

/** The input of a schedule, and the message made from it, may have at most 256 KiB. */
export const MAX_RECHECKED = 250;

/** Attempts to create a schedule before it is left to the sweep. */
const ATTEMPTS = 3;
const PAUSE = seconds(0.1);
/** From the latch to the second check. PostgreSQL gives a login that was under way 60 s. */
export const RECHECK_AFTER = seconds(60);

/**
 * Create the schedule that revokes a lease when it expires.
 *
 * @returns why it could not be created; undefined if it was. The lease stays valid, the failure is
 *   logged and counted, and the sweep creates the schedule.
 */
export async function scheduleRevocation(
  deps: LeaseDeps,
  lease: LeaseRef,
  at: Instant,
): Promise<ErrorFacts | undefined> {
  const second = epochSecondsCeil(at);
  const made = await attempt(deps, inputOf(deps, lease), scheduleName(lease.name, second), second);
  return typeof made === "string" ? undefined : made;
}

/** A schedule that has just fired still occupies its name; AWS does not document how long. */
const MAY_HAVE_FIRED = minutes(1);

/**
 * Create the next schedule of a lease that is not due, after one has just fired. Close to the
 * expiry, the fired schedule may still occupy the name: then try the next second. Further away, a
 * taken name means that another delivery was faster.
 */
export async function rescheduleRevocation(
  deps: LeaseDeps,
  lease: LeaseRef,
  at: Instant,
  now: Instant,
): Promise<boolean> {
  const second = epochSecondsCeil(at);
  const tries = between(now, at) < MAY_HAVE_FIRED ? [0, 1, 2] : [0];
  for (const later of tries) {
    const name = scheduleName(lease.name, second + later);
    const outcome = await deps.scheduler.create(name, second + later, inputOf(deps, lease));
    if (outcome === "made" || tries.length === 1) return true;
  }
  return false;
}

/** A role that is about to be dropped, and whose sessions are looked for once more. */
export interface Recheck {
  readonly lease: LeaseRef;
  /** Of the latch. Names the schedule, so that a retry after the same latch makes no second one. */
  readonly latchedAt: Instant;
  /** When the latch was seen on every server: from then on, no login begins. */
  readonly seenAt: Instant;
}

/**
 * Create the schedule that checks once more for sessions of roles that are about to be dropped.
 * None for no roles, and none for those that have one since the same latch.
 */
export async function scheduleRecheck(
  deps: LeaseDeps,
  rechecks: readonly Recheck[],
): Promise<ErrorFacts | undefined> {
  // named after the last latch: only an attempt at that lease can have made one of the same name
  let left: readonly Recheck[] = rechecks.toSorted((a, b) => b.latchedAt - a.latchedAt);
  for (let [named] = left; named !== undefined; [named] = left) {
    const seenAt = Math.max(...left.map((each) => each.seenAt)) as Instant;
    const made = await attempt(
      deps,
      { recheck: left.map(({ lease }) => inputOf(deps, lease)) },
      recheckName(named.lease.name, epochSecondsCeil(plus(named.latchedAt, RECHECK_AFTER))),
      epochSecondsCeil(plus(seenAt, RECHECK_AFTER)),
    );
    if (made !== "exists") return made === "made" ? undefined : made;
    // that schedule has the lease that it is named after, but perhaps not the others
    left = left.slice(1);
  }
  return undefined;
}

async function attempt(
  deps: LeaseDeps,
  input: ScheduleInput,
  schedule: string,
  second: number,
): Promise<"made" | "exists" | ErrorFacts> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await deps.scheduler.create(schedule, second, input);
    } catch (error) {
      if (left > 1) {
        await deps.time.wait(PAUSE);
        continue;
      }
      const of = "leaseId" in input ? { leaseId: input.leaseId } : {};
      deps.telemetry.audit({
        event: "schedule.failed",
        ...of,
        schedule,
        ...auditedFacts(error),
      });
      deps.telemetry.measure("SchedulesFailed", 1);
      return factsOf(error);
    }
  }
}

const inputOf = (
  { database }: LeaseDeps,
  { name, username, incarnation }: LeaseRef,
): ScheduledLease => ({
  leaseId: formatLeaseId(database, name.role, username),
  incarnation,
});
