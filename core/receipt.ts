import type { Blocker, SessionsEnded } from "./ports.ts";
import { between, type Instant, iso } from "./time.ts";

/** What a finished revocation observed; it claims nothing else. Times are ISO 8601, UTC. */
export interface Receipt {
  readonly leaseId: string;
  /**
   * `revoked`: latched, no session left, role dropped. `quarantined`: latched, but something keeps
   * the role or a session. `gone`: there was no such role. `not due`: left alone, and rescheduled.
   */
  readonly state: "revoked" | "quarantined" | "gone" | "not due";
  readonly roleOid?: number;
  readonly expiresAt?: string;
  readonly latchedAt?: string;
  readonly droppedAt?: string;
  /** Seconds from the lease's expiry until its role was gone; absent when it was revoked earlier. */
  readonly lagSeconds?: number;
  readonly servers: readonly ServerReceipt[];
  /** What keeps a quarantined role: objects, privileges, memberships, locks, sessions. */
  readonly blockers: readonly Blocker[];
}

/** What one server of the cluster was seen to do. */
export interface ServerReceipt {
  readonly server: string;
  /** Before the DROP. */
  readonly sessionsEnded: number;
  /** After it, by OID. */
  readonly stragglersEnded: number;
  readonly sessionsRemaining: number;
}

/** What a revocation has seen, piece by piece. */
export interface Observations {
  readonly leaseId: string;
  readonly state: Receipt["state"];
  readonly roleOid?: number;
  readonly expiresAt?: Instant;
  readonly latchedAt?: Instant;
  readonly droppedAt?: Instant;
  readonly before?: readonly SessionsEnded[];
  readonly after?: readonly SessionsEnded[];
  readonly blockers?: readonly Blocker[];
}

export function receiptOf(seen: Observations): Receipt {
  const { leaseId, state, roleOid, expiresAt, latchedAt, droppedAt } = seen;
  const late = expiresAt !== undefined && droppedAt !== undefined && droppedAt >= expiresAt;
  const lag = late ? between(expiresAt, droppedAt) / 1_000 : undefined;
  return {
    leaseId,
    state,
    ...(roleOid !== undefined && { roleOid }),
    ...(expiresAt !== undefined && { expiresAt: iso(expiresAt) }),
    ...(latchedAt !== undefined && { latchedAt: iso(latchedAt) }),
    ...(droppedAt !== undefined && { droppedAt: iso(droppedAt) }),
    ...(lag !== undefined && { lagSeconds: lag }),
    servers: serversOf(seen.before ?? [], seen.after ?? []),
    blockers: seen.blockers ?? [],
  };
}

function serversOf(
  before: readonly SessionsEnded[],
  after: readonly SessionsEnded[],
): readonly ServerReceipt[] {
  const names = new Set([...before, ...after].map(({ server }) => server));
  return [...names].map((server) => {
    const early = before.find((each) => each.server === server);
    const late = after.find((each) => each.server === server);
    return {
      server,
      sessionsEnded: early?.ended ?? 0,
      stragglersEnded: late?.ended ?? 0,
      sessionsRemaining: (late ?? early)?.remaining ?? 0,
    };
  });
}
