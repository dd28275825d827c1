import { between, type Instant, iso } from "../time.ts";
import type { Blocker, Cleared } from "./lease-ports.ts";
import type { Seen } from "./readers.ts";
import { bothSeen } from "./sessions.ts";

/** What a finished revocation observed, and nothing more. Times are ISO 8601, UTC. */
export interface Receipt {
  readonly leaseId: string;
  /**
   * `revoked`: latched, no session left, role dropped. `quarantined`: latched, but something blocks
   * the DROP or a session is left. `unverified`: latched on the writer, but a reader could not be
   * checked, or its sessions did not end; the role is kept. `gone`: there was no such role. `not
   * due`: not touched, and rescheduled.
   */
  readonly state: "revoked" | "quarantined" | "unverified" | "gone" | "not due";
  /** The incarnation of the role. */
  readonly incarnation?: string;
  readonly expiresAt?: string;
  readonly latchedAt?: string;
  readonly droppedAt?: string;
  /**
   * Seconds from the lease's expiry until its role was gone; undefined if it was revoked earlier.
   */
  readonly lagSeconds?: number;
  readonly servers: readonly ServerReceipt[];
  /**
   * What blocks the role's DROP: objects, privileges, memberships, locks, sessions, servers. For a
   * revoked lease: what its group owns (`of`).
   */
  readonly blockers: readonly Blocker[];
  /** Objects without code that the lease left and Mayfly removed. Undefined if there were none. */
  readonly cleared?: readonly Cleared[];
}

/** What was seen on one server of the cluster. */
export interface ServerReceipt {
  readonly server: string;
  /** Sessions ended before the DROP. */
  readonly sessionsEnded: number;
  /** Sessions ended after the DROP, by incarnation. */
  readonly stragglersEnded: number;
  readonly sessionsRemaining: number;
  /** For a reader: whether the latch was seen there before the DROP. Undefined for the writer. */
  readonly latchSeen?: boolean;
  /** Why the last check of a reader failed. */
  readonly problem?: string;
  /** The first ten ended sessions. */
  readonly sessions?: readonly SessionReceipt[];
}

/** One ended session, as the server described it. `since` is ISO 8601, UTC. */
export interface SessionReceipt {
  readonly application?: string;
  readonly address?: string;
  readonly since?: string;
}

/** The observations of a revocation, from which the receipt is built. */
export interface Observations {
  readonly leaseId: string;
  readonly state: Receipt["state"];
  readonly incarnation?: string;
  readonly expiresAt?: Instant;
  readonly latchedAt?: Instant;
  readonly droppedAt?: Instant;
  readonly before?: readonly Seen[];
  readonly after?: readonly Seen[];
  readonly blockers?: readonly Blocker[];
  readonly cleared?: readonly Cleared[];
}

export function receiptOf(seen: Observations): Receipt {
  const { leaseId, state, incarnation, expiresAt, latchedAt, droppedAt } = seen;
  const late = expiresAt !== undefined && droppedAt !== undefined && droppedAt >= expiresAt;
  const lag = late ? between(expiresAt, droppedAt) / 1_000 : undefined;
  return {
    leaseId,
    state,
    ...(incarnation !== undefined && { incarnation }),
    ...(expiresAt !== undefined && { expiresAt: iso(expiresAt) }),
    ...(latchedAt !== undefined && { latchedAt: iso(latchedAt) }),
    ...(droppedAt !== undefined && { droppedAt: iso(droppedAt) }),
    ...(lag !== undefined && { lagSeconds: lag }),
    servers: serversOf(seen.before ?? [], seen.after ?? []),
    blockers: seen.blockers ?? [],
    ...(seen.cleared !== undefined && seen.cleared.length > 0 && { cleared: seen.cleared }),
  };
}

function serversOf(before: readonly Seen[], after: readonly Seen[]): readonly ServerReceipt[] {
  const names = new Set([...before, ...after].map(({ server }) => server));
  return [...names].map((server) => {
    const early = before.find((each) => each.server === server);
    const late = after.find((each) => each.server === server);
    const latchSeen = early?.latchSeen;
    const problem = (late ?? early)?.fault?.why;
    const { who = [] } = bothSeen(early?.who, late?.who);
    const sessions = who.map(({ since, ...rest }) => ({
      ...rest,
      ...(since !== undefined && { since: iso(since) }),
    }));
    return {
      server,
      sessionsEnded: early?.ended ?? 0,
      stragglersEnded: late?.ended ?? 0,
      sessionsRemaining: (late ?? early)?.remaining ?? 0,
      ...(latchSeen !== undefined && { latchSeen }),
      ...(problem !== undefined && { problem }),
      ...(sessions.length > 0 && { sessions }),
    };
  });
}
