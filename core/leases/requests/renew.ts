import { LeaseEndedError } from "../../errors.ts";
import { iso } from "../../time.ts";
import { refreshPoint } from "../credential.ts";
import { type Grant, refuseTtl, refuseUndeclared } from "../grants.ts";
import { formatLeaseId, type LeaseId } from "../lease-id.ts";
import type { LeaseDeps } from "../lease-ports.ts";
import { scheduleRevocation } from "../revocation/schedules.ts";

/** The answer of `renew`. Times are ISO 8601, UTC, by the database's clock. */
export interface Renewal {
  readonly leaseId: string;
  readonly expiresAt: string;
  readonly maxExpiresAt: string;
  readonly refreshAfter: string;
}

/**
 * Extend a lease to `ttlSeconds` from now, but not beyond its maximum: the smaller of the maximum
 * at issue and the maximum declared now. A shorter ttl is allowed too, and gets a new schedule. A
 * longer one needs no new schedule: when the existing schedule fires, the revoker sees the renewal
 * and creates the next.
 *
 * @throws LeaseEndedError when the lease is gone, revoked or expired.
 * @throws NotAllowedError if the database no longer has the grant.
 * @throws InvalidRequestError if ttlSeconds is more than the declared maximum.
 */
export async function renewLease(
  deps: LeaseDeps,
  grant: Grant,
  id: LeaseId,
  ttlSeconds?: number,
): Promise<Renewal> {
  const leaseId = formatLeaseId(id.database, id.name.role, id.username);
  const { role: found, now } = await deps.engine.look(id.username);
  if (found?.kind !== "lease") throw refusal(leaseId, "not found");
  const { lease } = found;
  const extended = await deps.engine.renew(lease, ttlSeconds);
  if (extended.kind === "undeclared") throw refuseUndeclared(grant);
  if (extended.kind === "ttl") throw refuseTtl(grant, ttlSeconds, extended.maxTtlSeconds);
  if (extended.kind !== "extended") throw refusal(leaseId, extended.kind);
  const { expiresAt, maxExpiresAt } = extended;
  if (lease.expiresAt !== undefined && expiresAt < lease.expiresAt)
    await scheduleRevocation(deps, lease, expiresAt);
  deps.telemetry.audit({
    event: "lease.renewed",
    leaseId,
    consumer: grant.consumer,
    role: grant.role,
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(maxExpiresAt),
  });
  deps.telemetry.measure("LeasesRenewed", 1);
  return {
    leaseId,
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(maxExpiresAt),
    refreshAfter: iso(refreshPoint(now, expiresAt)),
  };
}

const refusal = (leaseId: string, reason: "not found" | "revoked" | "expired"): LeaseEndedError =>
  new LeaseEndedError(
    `lease ${leaseId} cannot be renewed: ${reason}; request a new credential instead`,
  );
