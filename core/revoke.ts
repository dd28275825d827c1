import type { Actor } from "./audit.ts";
import { DatabaseUnavailableError, LeaseRefusedError } from "./errors.ts";
import { isDue, type Lease, recognise } from "./lease.ts";
import { formatLeaseId, type LeaseId } from "./lease-id.ts";
import type { LatchOutcome, LeaseDeps } from "./ports.ts";
import { type Observations, type Receipt, receiptOf } from "./receipt.ts";
import { RECHECK_AFTER, rescheduleRevocation, scheduleRecheck } from "./schedules.ts";
import { endAllSessions } from "./sessions.ts";
import { between, type Instant, seconds } from "./time.ts";

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
  return finish(deps, current, await endAndDrop(deps, current, latched));
}

type Latched = Extract<LatchOutcome, { kind: "latched" }>;
type Ending = Omit<Observations, "leaseId" | "roleOid" | "expiresAt">;

/**
 * The second phase. Hand-over of what the lease owns, to the estate of its dynamic role, has its
 * place between the last session's end and the DROP; until it exists, such objects block the DROP,
 * are named, and the lease stays in quarantine.
 */
async function endAndDrop(
  deps: LeaseDeps,
  current: Case,
  { at, sessions, memberships }: Latched,
): Promise<Ending> {
  const { lease } = current;
  const latchedAt = lease.record?.latchedAt ?? at;
  const before = await endAllSessions(deps, lease, sessions);
  const stuck = before.filter(({ remaining }) => remaining > 0);
  if (stuck.length > 0) {
    const blockers = stuck.map(({ server, remaining: count }) => ({
      database: server,
      catalog: "pg_stat_activity",
      kind: "session",
      count,
    }));
    return { state: "quarantined", latchedAt, before, blockers };
  }
  const lastLogins = latchToRecheck(lease, at);
  if (lastLogins !== undefined) await scheduleRecheck(deps, lease, lastLogins);
  deps.telemetry.audit({ event: "lease.revoking", ...identity(current) });
  const dropped = await deps.ledger.drop(lease);
  if (dropped.kind === "blocked")
    return {
      state: "quarantined",
      latchedAt,
      before,
      blockers: [...dropped.blockers, ...memberships],
    };
  const after = await endAllSessions(deps, lease);
  return dropped.kind === "gone"
    ? { state: "gone", latchedAt, before, after }
    : { state: "revoked", latchedAt, droppedAt: dropped.at, before, after };
}

/**
 * The latch before which a login may still be under way; `undefined` when it was too long ago. A
 * lease in quarantine is tried again and again, and must not make a schedule each time.
 */
function latchToRecheck({ canLogin, record, expiresAt }: Lease, at: Instant): Instant | undefined {
  if (canLogin) return at;
  const latchedAt = record?.latchedAt;
  // a DBA's NOLOGIN leaves the expiry as it was; a latch of ours leaves none to see
  if (latchedAt === undefined) return expiresAt === undefined ? undefined : at;
  return between(latchedAt, at) < RECHECK_AFTER ? latchedAt : undefined;
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
  const after = roleOid === undefined ? [] : await endAllSessions(deps, { oid: roleOid, username });
  const receipt = receiptOf({
    leaseId,
    state: "gone",
    ...(roleOid !== undefined && { roleOid }),
    after,
  });
  measureStragglers(deps, receipt);
  deps.telemetry.audit({ event: "lease.gone", leaseId, actor, receipt });
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
  if (receipt.state === "quarantined")
    telemetry.audit({ event: "lease.quarantined", ...identity(current), receipt });
  else
    telemetry.audit({
      event: receipt.state === "revoked" ? "lease.revoked" : "lease.gone",
      ...identity(current),
      receipt,
    });
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
