/** Who made a change happen: an alias's consumer, or one of our own functions. */
export type Actor = string;

/**
 * One line per state change. Never contains a password, anything derived from one, or a connection
 * string.
 */
export interface AuditEvent {
  readonly event:
    | "lease.issued"
    | "lease.replayed"
    | "lease.renewed"
    | "lease.revoking"
    | "lease.revoked"
    | "lease.gone"
    | "lease.quarantined"
    | "lease.unverified"
    | "lease.rescheduled"
    | "lease.failed"
    | "schedule.failed"
    | "role.foreign"
    | "role.owns"
    | "role.seen"
    | "request.refused"
    | "request.failed"
    | "sweep.finished"
    | "cluster.restored"
    | "converge.requested"
    | "database.converged"
    | "secret.created"
    | "secret.set"
    | "secret.tested"
    | "secret.rotated";
  readonly leaseId?: string;
  readonly consumer?: string;
  readonly role?: string;
  readonly [detail: string]: unknown;
}

/** The prefixes of audit event names. No other log line starts with one. */
export const AUDIT_STARTS = [
  "lease.",
  "schedule.",
  "role.",
  "request.",
  "sweep.",
  "cluster.",
  "converge.",
  "database.",
  "secret.",
] as const;
