import type { Actor } from "../audit.ts";
import { DatabaseUnavailableError, LeaseRefusedError } from "../errors.ts";
import { between, seconds } from "../time.ts";
import { type Ending, endAndDrop } from "./end-and-drop.ts";
import { isDue, type Lease, recognise } from "./lease.ts";
import { formatLeaseId, type LeaseId } from "./lease-id.ts";
import type { LatchOutcome, LeaseDeps } from "./ports.ts";
import { endEverywhere, unseenIn } from "./readers.ts";
import { type Receipt, receiptOf } from "./receipt.ts";
import { rescheduleRevocation } from "./schedules.ts";

export interface RevokeOptions {
  /** Leave a lease alone that has not expired by the database's clock. */
  readonly onlyIfDue: boolean;
  readonly actor: Actor;
  /** The OID a schedule was made with: pins the revocation to one life of the name. */
  readonly roleOid?: number;
}

/** One revocation under way. */
interface Case {
  readonly leaseId: string;
  readonly lease: Lease;
  readonly options: RevokeOptions;
}

/** A schedule that fires this little too early, by the database's clock, waits instead. */
const PATIENCE = seconds(2);

/**
 * Revoke a lease: latch, end sessions, drop, end stragglers. Safe to repeat at any point.
 *
 * @throws LeaseRefusedError when the role is no lease of ours: it is not touched.
 * @throws DatabaseUnavailableError when a server was out of reach: call again.
 */
export async function revokeLease(
  deps: LeaseDeps,
  id: LeaseId,
  options: RevokeOptions,
): Promise<Receipt> {
  const leaseId = formatLeaseId(id.database, id.name.role, id.username);
  const { row, now } = await deps.ledger.find(id.username);
  if (row === undefined || (options.roleOid !== undefined && row.oid !== options.roleOid))
    return endStragglers(deps, leaseId, id.username, options);
  const recognition = recognise(row, deps.tag);
  if (recognition.kind === "foreign") {
    deps.telemetry.audit({ event: "role.foreign", username: row.username, why: recognition.why });
    throw new LeaseRefusedError(
      "not found",
      `role ${row.username} is named like a lease but is none: ${recognition.why}; nothing was touched, a DBA must look at it`,
    );
  }
  const { lease } = recognition;
  const current: Case = { leaseId, lease, options };
  if (options.onlyIfDue && !isDue(lease, now)) {
    const left = between(now, lease.expiresAt ?? now);
    if (left > PATIENCE) return leaveAlone(deps, current);
    await deps.time.wait(left);
  }

  const latched = await latch(deps, current);
  if (latched.kind === "not due") return leaveAlone(deps, current);
  if (latched.kind !== "latched") return finish(deps, current, { state: "gone" });
  const announce = (): void =>
    deps.telemetry.audit({ event: "lease.revoking", ...identity(current) });
  const dropping = { lease, record: latchedRecord(lease), announce };
  return finish(deps, current, await endAndDrop(deps, dropping, latched));
}

const LATCH_ATTEMPTS = 5;

/**
 * Latch, politely at first. A session of the lease may hold the role's row (ALTER ROLE … PASSWORD,
 * uncommitted), and its application may connect again faster than we could end sessions and latch
 * one after the other: so the next attempts do both at once.
 */
async function latch(deps: LeaseDeps, { lease, options }: Case): Promise<LatchOutcome> {
  const { onlyIfDue } = options;
  const record = latchedRecord(lease);
  for (let attempt = 1; ; attempt++) {
    try {
      return await deps.ledger.latch(lease, { onlyIfDue, record, endSessions: attempt > 1 });
    } catch (error) {
      if (attempt >= LATCH_ATTEMPTS || !(error instanceof DatabaseUnavailableError)) throw error;
    }
  }
}

/** The role is gone, but a session of it may not be: a login that was under way during the DROP. */
async function endStragglers(
  deps: LeaseDeps,
  leaseId: string,
  username: string,
  { roleOid, actor }: RevokeOptions,
): Promise<Receipt> {
  const seen = roleOid === undefined ? [] : await endEverywhere(deps, { oid: roleOid, username });
  const receipt = receiptOf({
    leaseId,
    state: "gone",
    ...(roleOid !== undefined && { roleOid }),
    after: seen,
  });
  measureStragglers(deps, receipt);
  deps.telemetry.audit({ event: "lease.gone", leaseId, actor, receipt });
  const unseen = unseenIn(seen);
  if (unseen.length > 0)
    throw new DatabaseUnavailableError(
      `sessions of lease ${leaseId} could not be looked for on ${unseen.join(", ")}; do the same again`,
    );
  return receipt;
}

/** Not due: it was renewed. The schedule that fired was its only one, so make the next. */
async function leaveAlone(deps: LeaseDeps, { leaseId, lease }: Case): Promise<Receipt> {
  const { ledger } = deps;
  const { row, now } = await ledger.find(lease.username);
  const expiresAt = row?.validUntil ?? lease.expiresAt;
  if (expiresAt !== undefined && !(await rescheduleRevocation(deps, lease, expiresAt, now)))
    throw new DatabaseUnavailableError(
      `the next revocation of lease ${leaseId} could not be scheduled; the sweep will do it`,
    );
  const receipt = receiptOf({
    leaseId,
    state: "not due",
    roleOid: lease.oid,
    ...(expiresAt !== undefined && { expiresAt }),
  });
  deps.telemetry.audit({ event: "lease.rescheduled", leaseId, expiresAt: receipt.expiresAt });
  return receipt;
}

function finish(deps: LeaseDeps, current: Case, ending: Ending): Receipt {
  const { leaseId, lease } = current;
  const { expiresAt } = lease;
  const receipt = receiptOf({
    ...ending,
    leaseId,
    roleOid: lease.oid,
    ...(expiresAt !== undefined && { expiresAt }),
  });
  const { telemetry } = deps;
  const event = `lease.${ending.state}` as const;
  telemetry.audit({ event, ...identity(current), receipt });
  measureStragglers(deps, receipt);
  if (receipt.state === "revoked") telemetry.measure("LeasesRevoked", 1);
  if (receipt.state === "quarantined" && lease.canLogin) telemetry.measure("LeasesQuarantined", 1);
  if (receipt.lagSeconds !== undefined)
    telemetry.measure("RevocationLagSeconds", receipt.lagSeconds);
  return receipt;
}

function measureStragglers({ telemetry }: LeaseDeps, { servers }: Receipt): void {
  const stragglers = servers.reduce((sum, { stragglersEnded }) => sum + stragglersEnded, 0);
  if (stragglers > 0) telemetry.measure("StragglersEnded", stragglers);
}

const identity = ({ leaseId, lease: { name, oid }, options: { actor } }: Case) => ({
  leaseId,
  consumer: name.consumer,
  role: name.role,
  roleOid: oid,
  actor,
});

/** The record as a latch leaves it: what it said, and when the lease was to expire. */
const latchedRecord = ({ name, record, expiresAt }: Lease): Record<string, string | number> => ({
  consumer: name.consumer,
  role: name.role,
  ...(record && { issued: record.issuedAt, max: record.maxExpiresAt }),
  ...(record?.pepper !== undefined && { pepper: record.pepper }),
  ...(expiresAt !== undefined && { expired: expiresAt }),
});
