/** Who made a change happen: an alias's consumer, or one of our own functions. */
export type Actor = string;

/** One state change, one line. Never a password, verifier or connection string. */
export interface AuditEvent {
  readonly event:
    | "lease.issued"
    | "lease.replayed"
    | "lease.renewed"
    | "lease.revoking"
    | "lease.revoked"
    | "lease.gone"
    | "lease.quarantined"
    | "lease.rescheduled"
    | "role.foreign"
    | "request.refused"
    | "request.failed"
    | "sweep.finished"
    | "converge.requested"
    | "database.converged";
  readonly leaseId?: string;
  readonly consumer?: string;
  readonly role?: string;
  readonly [detail: string]: unknown;
}
