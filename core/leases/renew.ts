import { LeaseRefusedError, type RefusalReason } from "../errors.ts";
import { type Instant, iso, plus, seconds } from "../time.ts";
import { refreshPoint } from "./credential.ts";
import type { GrantedRole } from "./grants.ts";
import { isDue, type Lease, recognise } from "./lease.ts";
import { formatLeaseId, type LeaseId } from "./lease-id.ts";
import type { LeaseDeps } from "./ports.ts";
import { scheduleRevocation } from "./schedules.ts";

/** What `renew` answers: ISO 8601, UTC, by the database's clock. */
export interface Renewal {
  readonly leaseId: string;
  readonly expiresAt: string;
  readonly maxExpiresAt: string;
  readonly refreshAfter: string;
}

export type RenewalDecision =
  | { readonly kind: "extend"; readonly until: Instant }
  | { readonly kind: "refuse"; readonly reason: RefusalReason };

/**
 * Whether a lease may be extended, and how far at most.
 *
 * The record is readable evidence, not proof: whoever could write it could set its maximum. The
 * role's own maximum, counted from the issue it claims, bounds it; without a record nothing moves.
 */
export function decideRenewal(lease: Lease, maxTtlSeconds: number, now: Instant): RenewalDecision {
  if (!lease.canLogin) return { kind: "refuse", reason: "revoked" };
  if (isDue(lease, now)) return { kind: "refuse", reason: "expired" };
  const { record, expiresAt = now } = lease;
  if (record === undefined || record.issuedAt > now) return { kind: "extend", until: expiresAt };
  const allowed = plus(record.issuedAt, seconds(maxTtlSeconds));
  const until = Math.min(record.maxExpiresAt, allowed) as Instant;
  // the role's maximum was lowered since: "renewed" must not mean cut off
  return until <= now ? { kind: "refuse", reason: "expired" } : { kind: "extend", until };
}

/**
 * Extend a lease, `ttlSeconds` from now and at most to its maximum. A shorter life than before is
 * granted too, and scheduled; a longer one needs no new schedule, since the one that stands finds
 * the lease renewed when it fires, and makes the next.
 *
 * @throws LeaseRefusedError when the lease is gone, revoked or expired.
 */
export async function renewLease(
  deps: LeaseDeps,
  grant: GrantedRole,
  id: LeaseId,
  ttlSeconds: number,
): Promise<Renewal> {
  const leaseId = formatLeaseId(id.database, id.name.role, id.username);
  const found = await deps.ledger.find(id.username);
  const recognition = found.row && recognise(found.row, deps.tag);
  if (recognition?.kind !== "lease") throw refusal(leaseId, "not found");
  const { lease } = recognition;
  const decision = decideRenewal(lease, grant.settings.maxTtlSeconds, found.now);
  if (decision.kind === "refuse") throw refusal(leaseId, decision.reason);

  const extended = await deps.ledger.extend(lease, ttlSeconds, decision.until);
  if (extended.kind !== "extended") throw refusal(leaseId, extended.kind);
  const { expiresAt, now } = extended;
  if (lease.expiresAt !== undefined && expiresAt < lease.expiresAt)
    await scheduleRevocation(deps, lease, expiresAt);
  deps.telemetry.audit({
    event: "lease.renewed",
    leaseId,
    consumer: grant.consumer,
    role: grant.role,
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(decision.until),
  });
  deps.telemetry.measure("LeasesRenewed", 1);
  return {
    leaseId,
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(decision.until),
    refreshAfter: iso(refreshPoint(now, expiresAt)),
  };
}

const refusal = (leaseId: string, reason: RefusalReason): LeaseRefusedError =>
  new LeaseRefusedError(
    reason,
    `lease ${leaseId} cannot be renewed: ${reason}; request a new credential instead`,
  );
