import { groupRoleName } from "../../names.ts";
import { reasonOf } from "../../reason.ts";
import { between, type Instant, plus } from "../../time.ts";
import type { LeaseRef } from "../lease.ts";
import type { LeaseName } from "../lease-name.ts";
import type {
  Blocker,
  EngineFailure,
  LatchOutcome,
  LeaseDeps,
  SessionsEnded,
  Stray,
} from "../lease-ports.ts";
import { endEverywhere, followReaders, type ReaderSeen } from "../readers.ts";
import type { Observations } from "../receipt.ts";
import { bothSeen, endAllSessions } from "../sessions.ts";
import { dropAll, NO_ANSWER } from "./drop.ts";
import { RECHECK_AFTER, type Recheck, scheduleRecheck } from "./schedules.ts";

type Seen = Omit<Observations, "leaseId" | "incarnation" | "expiresAt" | "state">;

/** The outcome of the second phase for one lease. */
export type Ending =
  | (Seen & { readonly state: "revoked" | "gone" | Kept["state"] })
  | { readonly state: "failed"; readonly failure: EngineFailure };

/** A lease that was latched, for the second phase. */
export interface Latched {
  readonly lease: LeaseRef;
  readonly latch: Extract<LatchOutcome, { kind: "latched" }>;
  /** Called right before the DROP. After it, sessions can still be found by the incarnation. */
  readonly announce: () => void;
}

/** A latched lease, and what was seen of it so far. */
interface Case extends Latched {
  readonly latchedAt: Instant;
  readonly before: readonly (SessionsEnded & Partial<ReaderSeen>)[];
  /** When every server had the latch, at the latest. */
  readonly seenAt: Instant;
  /** A second check is due only if this attempt drops the role. */
  readonly isRecheckedOnceGone: boolean;
}

/**
 * The second phase, for all leases together: end sessions, clear litter, drop roles. Other objects
 * that a lease owns block the DROP: they are listed, and the lease stays in quarantine.
 *
 * A role is dropped only after the latch was seen on every reader: sessions on readers can be found
 * only by the role, and only the role tells the next attempt that a reader is missing.
 *
 * @param asked when the first of the latches was asked for, by this program's clock.
 * @returns the outcome for each lease, in the same order.
 */
export async function endAndDrop(
  deps: LeaseDeps,
  all: readonly Latched[],
  asked: Instant,
): Promise<readonly Ending[]> {
  if (all.length === 0) return [];
  const answered = deps.time.now();
  const roles = all.map(({ lease }) => lease);
  const [writer, readers] = await Promise.all([
    endAllSessions(deps, roles),
    followReaders(deps, roles, "latch"),
  ]);
  const endings = new Map<LeaseRef, Ending>();
  const dropping: Case[] = [];
  const rechecked: Recheck[] = [];
  for (const [i, { lease, latch, announce }] of all.entries()) {
    const onWriter = withEarlier(writer[i], latch);
    const onReaders = readers[i] ?? [];
    const latchedAt = latch.latchedAt ?? latch.at;
    const before = [...onWriter, ...onReaders];
    const kept = decideKeep(onWriter, onReaders);
    if (kept !== undefined) {
      if (kept.state === "unverified" && latch.unverifiedAt === undefined)
        await deps.engine.markUnverified(lease, latch.at);
      endings.set(lease, { ...kept, latchedAt, before });
      continue;
    }
    const hasReaders = onReaders.length > 0;
    // a latch is committed after its time was taken, and others of the call may have taken long
    const seenAt = plus(latch.at, between(asked, hasReaders ? deps.time.now() : answered));
    const identified = latchToRecheck(latch, seenAt);
    if (identified !== undefined) rechecked.push({ lease, latchedAt: identified, seenAt });
    const isRecheckedOnceGone = identified === undefined && hasReaders;
    dropping.push({ lease, latch, announce, latchedAt, before, seenAt, isRecheckedOnceGone });
  }
  await scheduleRecheck(deps, rechecked);
  // not before: the mark tells the next attempt that a second check is due
  for (const { lease, latch } of dropping)
    if (latch.unverifiedAt !== undefined) await deps.engine.markUnverified(lease, undefined);
  for (const { announce } of dropping) announce();
  for (const [lease, ending] of await drop(deps, dropping)) endings.set(lease, ending);
  // if an earlier attempt was killed before it looked at the readers, one may have the latch only
  // now; before the DROP, each attempt at a lease in quarantine would make a schedule
  const goneLate = dropping.filter(
    ({ lease, isRecheckedOnceGone }) =>
      isRecheckedOnceGone && endings.get(lease)?.state === "revoked",
  );
  await scheduleRecheck(
    deps,
    goneLate.map(({ lease, seenAt }) => ({ lease, latchedAt: seenAt, seenAt })),
  );
  return roles.map((lease) => endings.get(lease) ?? { state: "failed", failure: NO_ANSWER });
}

/** Sessions that the latch itself ended count too. */
const withEarlier = (
  seen: SessionsEnded | undefined,
  { ended, who }: Latched["latch"],
): readonly SessionsEnded[] =>
  seen === undefined ? [] : [{ ...seen, ended: seen.ended + ended, ...bothSeen(who, seen.who) }];

async function drop(
  deps: LeaseDeps,
  cases: readonly Case[],
): Promise<readonly (readonly [LeaseRef, Ending])[]> {
  if (cases.length === 0) return [];
  const dropped = await dropAll(
    deps,
    cases.map(({ lease }) => lease),
  );
  const left = cases.filter((_, i) => ["dropped", "gone"].includes(dropped[i]?.outcome.kind ?? ""));
  const after = await endEverywhere(
    deps,
    left.map(({ lease }) => lease),
  );
  const strays = await straysOf(
    deps,
    left.map(({ lease }) => lease.name),
  );
  return cases.map((each, i) => {
    const { lease, latch, latchedAt, before } = each;
    const { outcome, cleared } = dropped[i] ?? { outcome: NO_ANSWER, cleared: [] };
    if (outcome.kind === "failed") return [lease, { state: "failed", failure: outcome }] as const;
    if (outcome.kind === "blocked") {
      const blockers = [...outcome.blockers, ...latch.memberships];
      return [lease, { state: "quarantined", latchedAt, before, blockers, cleared }] as const;
    }
    const seen = { latchedAt, before, after: after[left.indexOf(each)] ?? [], cleared };
    return outcome.kind === "gone"
      ? ([lease, { state: "gone", ...seen }] as const)
      : ([
          lease,
          {
            state: "revoked",
            droppedAt: outcome.at,
            ...seen,
            blockers: strays.get(lease.name.role) ?? [],
          },
        ] as const);
  });
}

/**
 * What the groups of dropped leases own, by dynamic role: a lease that acted as its group may have
 * left objects. Never rejects: if the lookup fails, the failure is listed as a blocker.
 */
async function straysOf(
  { engine, tag }: Pick<LeaseDeps, "engine" | "tag">,
  leases: readonly LeaseName[],
): Promise<ReadonlyMap<string, readonly Blocker[]>> {
  const roles = [...new Set(leases.map(({ role }) => role))];
  if (roles.length === 0) return new Map();
  const owners = new Map(roles.map((role) => [groupRoleName(tag, role), role]));
  const found = await engine
    .findStrays(roles)
    .catch((error: unknown) => [...owners.keys()].map((owner) => unseenStrays(owner, error)));
  const blockers = found.map(({ owner: of, ...rest }) => ({ ...rest, kind: "owner", of }));
  return Map.groupBy(blockers, ({ of }) => owners.get(of) ?? "");
}

/** The blocker that is listed if the lookup of owned objects fails. */
export const unseenStrays = (owner: string, error: unknown): Stray => ({
  owner,
  database: "cluster",
  catalog: "unknown",
  count: 1,
  why: reasonOf(error),
});

/** A role that is kept; it cannot log in. */
interface Kept {
  readonly state: "quarantined" | "unverified";
  readonly blockers: readonly Blocker[];
}

/** Why the DROP of a role is not attempted yet. Undefined if it can be. */
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
            catalog: fault.kind === "late" ? "roles" : "sessions",
            kind: "server",
            count: 1,
          },
        ],
  );
  const held = [...writer, ...readers].flatMap(({ server, remaining: count }): Blocker[] =>
    count === 0 ? [] : [{ database: server, catalog: "sessions", kind: "session", count }],
  );
  const blockers = [...faults, ...held];
  if (blockers.length === 0) return undefined;
  const isUnverified = faults.length > 0 || readers.some(({ remaining }) => remaining > 0);
  return { state: isUnverified ? "unverified" : "quarantined", blockers };
}

/**
 * The latch that calls for a second check, if a login may still be under way since. A lease in
 * quarantine is retried often, and each retry has the same answer as the first attempt.
 *
 * @param seenAt when the latch was seen on every server.
 */
function latchToRecheck(
  { wasOpen, latchedAt, unverifiedAt, at }: Latched["latch"],
  seenAt: Instant,
): Instant | undefined {
  // a reader may have replayed the latch only now, however long ago it was committed
  if (unverifiedAt !== undefined) return seenAt;
  if (wasOpen) return latchedAt ?? at;
  if (latchedAt === undefined) return undefined;
  return between(latchedAt, at) < RECHECK_AFTER ? latchedAt : undefined;
}
