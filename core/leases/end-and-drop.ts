import { between, type Instant, plus } from "../time.ts";
import type { Lease } from "./lease.ts";
import type { Blocker, LatchOutcome, LeaseDeps, SessionsEnded } from "./ports.ts";
import { endEverywhere, type ReaderSeen, settleReaders } from "./readers.ts";
import type { Observations } from "./receipt.ts";
import { RECHECK_AFTER, scheduleRecheck } from "./schedules.ts";
import { endAllSessions } from "./sessions.ts";

export type Latched = Extract<LatchOutcome, { kind: "latched" }>;
export type Ending = Omit<Observations, "leaseId" | "roleOid" | "expiresAt" | "state"> & {
  readonly state: "revoked" | "gone" | Kept["state"];
};

type RecordFields = Readonly<Record<string, string | number>>;

/** What the second phase needs to know of a lease besides what the latch answered. */
export interface Dropping {
  readonly lease: Lease;
  /** The record as a latch leaves it, but for the time of the latch. */
  readonly record: RecordFields;
  /** Told right before the DROP: what comes next can be found again by the OID. */
  readonly announce: () => void;
}

/**
 * The second phase. Hand-over of what the lease owns, to the estate of its dynamic role, has its
 * place between the last session's end and the DROP; until it exists, such objects block the DROP,
 * are named, and the lease stays in quarantine.
 *
 * The role is dropped only after every reader was seen to have the latch: it is the only thing that
 * the sessions there can be found by, and what tells the next attempt that they were not.
 */
export async function endAndDrop(
  deps: LeaseDeps,
  { lease, record, announce }: Dropping,
  { at, sessions, memberships }: Latched,
): Promise<Ending> {
  const latchedAt = lease.record?.latchedAt ?? at;
  const began = deps.time.now();
  const [writer, readers] = await Promise.all([
    endAllSessions(deps, lease, sessions),
    settleReaders(deps, lease, "latch"),
  ]);
  const before = [...writer, ...readers];
  const kept = decideKeep(writer, readers);
  if (kept !== undefined) {
    if (kept.state === "unverified" && lease.record?.unverifiedAt === undefined)
      await deps.ledger.annotate(lease, { ...record, latched: latchedAt, unverified: at });
    return { ...kept, latchedAt, before };
  }
  const seenAt = readers.length === 0 ? at : plus(at, between(began, deps.time.now()));
  const lastLogins = latchToRecheck(lease, at, seenAt);
  if (lastLogins !== undefined) await scheduleRecheck(deps, lease, lastLogins);
  if (lease.record?.unverifiedAt !== undefined)
    await deps.ledger.annotate(lease, { ...record, latched: latchedAt });
  announce();
  const dropped = await deps.ledger.drop(lease);
  if (dropped.kind === "blocked") {
    const blockers = [...dropped.blockers, ...memberships];
    return { state: "quarantined", latchedAt, before, blockers };
  }
  const after = await endEverywhere(deps, lease);
  return dropped.kind === "gone"
    ? { state: "gone", latchedAt, before, after }
    : { state: "revoked", latchedAt, droppedAt: dropped.at, before, after };
}

/** A role that stays: nobody can log in with it. */
interface Kept {
  readonly state: "quarantined" | "unverified";
  readonly blockers: readonly Blocker[];
}

/** Why a role is not dropped yet, before that is tried; `undefined` when no server speaks against it. */
export function decideKeep(
  writer: readonly SessionsEnded[],
  readers: readonly ReaderSeen[],
): Kept | undefined {
  const faults = readers.flatMap(({ server, fault }): Blocker[] =>
    fault === undefined
      ? []
      : [
          {
            database: server,
            catalog: fault.kind === "late" ? "pg_roles" : "pg_stat_activity",
            kind: "server",
            count: 1,
          },
        ],
  );
  const held = [...writer, ...readers].flatMap(({ server, remaining: count }): Blocker[] =>
    count === 0 ? [] : [{ database: server, catalog: "pg_stat_activity", kind: "session", count }],
  );
  const blockers = [...faults, ...held];
  if (blockers.length === 0) return undefined;
  const isUnverified = faults.length > 0 || readers.some(({ remaining }) => remaining > 0);
  return { state: isUnverified ? "unverified" : "quarantined", blockers };
}

/**
 * The moment before which a login may still be under way; `undefined` when it was too long ago. A
 * lease in quarantine is tried again and again, and must not make a schedule each time.
 *
 * @param at when the latch was asked for. @param seenAt when every server was seen to have it.
 */
function latchToRecheck(
  { canLogin, record, expiresAt }: Lease,
  at: Instant,
  seenAt: Instant,
): Instant | undefined {
  // on a reader it may have arrived only now, however long ago it was committed
  if (canLogin || record?.unverifiedAt !== undefined) return seenAt;
  const latchedAt = record?.latchedAt;
  // a DBA's NOLOGIN leaves the expiry as it was; a latch of ours leaves none to see
  if (latchedAt === undefined) return expiresAt === undefined ? undefined : seenAt;
  return between(latchedAt, at) < RECHECK_AFTER ? latchedAt : undefined;
}
