import { LeaseRefusedError } from "./errors.ts";
import { isDue, type Lease, recognise } from "./lease.ts";
import { formatLeaseId, type LeaseId } from "./lease-id.ts";
import type { LeaseDeps } from "./ports.ts";
import { type Instant, iso } from "./time.ts";

/** `live`: may log in. `expired`: its time is up, its revocation is due. `quarantined`: latched, not yet dropped. */
export type LeaseState = "live" | "expired" | "quarantined";

/** A lease as people and programs look at it. Times are ISO 8601, UTC. */
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
  if (!lease.canLogin) return "quarantined";
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

/**
 * A lease and how many sessions it has open.
 *
 * @throws LeaseRefusedError when no such lease exists any more.
 */
export async function lookUpLease(
  { ledger, tag, database }: Pick<LeaseDeps, "ledger" | "tag" | "database">,
  id: LeaseId,
): Promise<LeaseView & { readonly sessions: number }> {
  const found = await ledger.find(id.username);
  const recognition = found.row && recognise(found.row, tag);
  if (recognition?.kind === "lease")
    return { ...viewOf(database, recognition.lease, found.now), sessions: found.sessions };
  throw new LeaseRefusedError(
    "not found",
    `lease ${formatLeaseId(id.database, id.name.role, id.username)} does not exist: it was revoked, or never issued; request a new credential instead`,
  );
}
