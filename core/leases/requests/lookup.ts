import { LeaseEndedError } from "../../errors.ts";
import { type Instant, iso } from "../../time.ts";
import { isDue, type Lease } from "../lease.ts";
import { formatLeaseId, type LeaseId } from "../lease-id.ts";
import type { LeaseDeps } from "../lease-ports.ts";
import { askReaders, type UnseenReader } from "../readers.ts";

/**
 * `live`: can log in. `expired`: its revocation is due. `quarantined`: latched, not yet dropped.
 * `unverified`: latched, not dropped because a reader could not be checked.
 */
export const LEASE_STATES = ["live", "expired", "quarantined", "unverified"] as const;
export type LeaseState = (typeof LEASE_STATES)[number];

/** A lease in answers. Times are ISO 8601, UTC. */
export interface LeaseView {
  readonly leaseId: string;
  readonly consumer: string;
  readonly role: string;
  readonly state: LeaseState;
  readonly issuedAt?: string;
  readonly expiresAt?: string;
  readonly maxExpiresAt?: string;
}

export function stateOf(lease: Lease, now: Instant): LeaseState {
  if (!lease.canLogin)
    return lease.record?.unverifiedAt === undefined ? "quarantined" : "unverified";
  return isDue(lease, now) ? "expired" : "live";
}

export function viewOf(database: string, lease: Lease, now: Instant): LeaseView {
  const { name, username, record, expiresAt } = lease;
  return {
    leaseId: formatLeaseId(database, name.role, username),
    consumer: name.consumer,
    role: name.role,
    state: stateOf(lease, now),
    ...(record && { issuedAt: iso(record.issuedAt) }),
    ...(expiresAt !== undefined && { expiresAt: iso(expiresAt) }),
    ...(record && { maxExpiresAt: iso(record.maxExpiresAt) }),
  };
}

/** A lease and the number of its open sessions. */
export interface LeaseLookup extends LeaseView {
  /** Number of sessions on every server that could be reached. */
  readonly sessions: number;
  /** Readers that could not be reached; undefined if there are none. */
  readonly unseen?: readonly UnseenReader[];
}

/**
 * Look up a lease and the number of its open sessions, on the writer and its readers.
 *
 * @throws LeaseEndedError if the lease does not exist.
 */
export async function lookUpLease(
  deps: Pick<LeaseDeps, "engine" | "readers" | "database">,
  id: LeaseId,
): Promise<LeaseLookup> {
  const found = await deps.engine.look(id.username);
  if (found.role?.kind === "lease") {
    const { lease } = found.role;
    const { answers, unseen } = await askReaders(deps, (each) => each.countSessions(lease));
    return {
      ...viewOf(deps.database, lease, found.now),
      sessions: answers.reduce((sum, count) => sum + count, found.sessions),
      ...(unseen.length > 0 && { unseen }),
    };
  }
  throw new LeaseEndedError(
    `lease ${formatLeaseId(id.database, id.name.role, id.username)} does not exist: it was revoked, or never issued; request a new credential instead`,
  );
}
