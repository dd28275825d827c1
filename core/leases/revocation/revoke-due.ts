import { OutOfTimeError } from "../../errors.ts";
import { auditedFacts } from "../../reason.ts";
import { isDue, type Lease, type LeaseRef } from "../lease.ts";
import { formatLeaseId, parseLeaseId } from "../lease-id.ts";
import type { LeaseDeps, ScheduledLease, ScheduleInput } from "../lease-ports.ts";
import { forOnePass } from "../readers.ts";
import { type Revocation, revokeMany } from "./revoke.ts";

/** The outcome of one input: the outcome of each of its leases. */
export interface DueOutcome {
  readonly revocations: readonly Revocation[];
}

export interface RevokeDueOptions {
  /** Whether there is time for more revocations. @default - always */
  readonly mayContinue?: () => boolean;
  /**
   * Whether more schedules have fired than these: then other due leases are revoked too. @default
   * false
   */
  readonly moreWait?: boolean;
}

/** Most leases that are revoked together. */
const BATCH = 250;
/**
 * About how many other due leases to take: with more, two revokers would wait for each other's
 * locks.
 */
const OTHERS_TOGETHER = 100;
/** About how many of them to revoke in one call: the inputs are answered after it. */
const MOST_OTHERS = 500;

/**
 * Revoke the leases whose schedules have fired, together; each only if the database says that it is
 * due. Never rejects: a failure of one lease does not affect the others. Safe to repeat, and a
 * lease may be listed twice.
 *
 * @returns one outcome for each input, in their order.
 */
export async function revokeDue(
  given: LeaseDeps,
  inputs: readonly ScheduleInput[],
  { mayContinue = () => true, moreWait = false }: RevokeDueOptions = {},
): Promise<readonly DueOutcome[]> {
  // a reader that is down must delay a batch no more than a single lease
  const deps = forOnePass(given);
  const leases = new Map<string, LeaseRef>();
  for (const each of inputs.flatMap(leasesOf))
    leases.set(keyOf(each), { ...parseLeaseId(each.leaseId), incarnation: each.incarnation });
  const done = new Map<string, Revocation>();
  const keys = [...leases.keys()];
  for (let start = 0; start < keys.length; start += BATCH) {
    const batch = keys.slice(start, start + BATCH);
    const refs = batch.flatMap((key) => leases.get(key) ?? []);
    const revocations = mayContinue()
      ? await revokeMany(deps, refs, { onlyIfDue: true, actor: "schedule" })
      : [];
    for (const [i, key] of batch.entries()) {
      const revocation = revocations[i];
      if (revocation !== undefined) done.set(key, revocation);
    }
  }
  for (const [key, { name, username }] of leases)
    if (!done.has(key))
      done.set(key, notReached(deps, formatLeaseId(deps.database, name.role, username)));
  const wereDue = [...done.values()].some(
    (each) => "receipt" in each && each.receipt.state === "revoked",
  );
  const [first] = leases.values();
  if (moreWait && wereDue && first !== undefined) await revokeOthers(deps, first, mayContinue);
  return inputs.map((input) => ({
    revocations: leasesOf(input).flatMap((each) => {
      const revocation = done.get(keyOf(each));
      return revocation === undefined ? [] : [{ ...revocation, leaseId: each.leaseId }];
    }),
  }));
}

/**
 * Leases that expire together fill the queue together. Revoke other due leases in few calls, so
 * that the following messages find nothing to do. Never rejects: each of these leases has its own
 * message.
 *
 * @param first where to begin: two concurrent revokers begin at different names and seldom meet.
 */
async function revokeOthers(
  deps: LeaseDeps,
  first: LeaseRef,
  mayContinue: () => boolean,
): Promise<void> {
  try {
    let left = MOST_OTHERS;
    for await (const due of dueFrom(deps, first.username)) {
      if (left <= 0 || !mayContinue()) return;
      left -= due.length;
      await revokeMany(deps, due, { onlyIfDue: true, actor: "schedule" });
    }
  } catch (error) {
    deps.telemetry.audit({ event: "request.failed", actor: "schedule", ...auditedFacts(error) });
  }
}

/** Due leases that can log in, sorted by name, from `first` on and then from the beginning. */
async function* dueFrom({ engine }: LeaseDeps, start: string): AsyncGenerator<readonly Lease[]> {
  let due: Lease[] = [];
  for (const isSecond of [false, true]) {
    let after: string | undefined = isSecond ? "" : start;
    while (after !== undefined) {
      const page = await engine.list(after, OTHERS_TOGETHER);
      for (const role of page.roles)
        if (role.kind === "lease" && role.lease.canLogin && isDue(role.lease, page.now))
          due.push(role.lease);
      if (due.length >= OTHERS_TOGETHER) {
        yield due;
        due = [];
      }
      after = isSecond && (page.next ?? "") >= start ? undefined : page.next;
    }
  }
  if (due.length > 0) yield due;
}

const leasesOf = (input: ScheduleInput): readonly ScheduledLease[] =>
  "recheck" in input ? input.recheck : [input];

const keyOf = ({ leaseId, incarnation }: ScheduledLease): string => `${leaseId} ${incarnation}`;

/** The error for a lease that there was no time for. */
function notReached({ telemetry }: LeaseDeps, leaseId: string): Revocation {
  const error = new OutOfTimeError(
    `there was no time left to revoke lease ${leaseId}; its message is delivered again, or the sweep revokes it first`,
  );
  telemetry.audit({ event: "lease.failed", leaseId, actor: "schedule", ...auditedFacts(error) });
  return { leaseId, error };
}
