import type { Instant } from "../time.ts";
import type { LeaseName } from "./lease-name.ts";

/** A lease with its incarnation, which distinguishes it from other roles with the same name. */
export interface LeaseRef {
  readonly name: LeaseName;
  readonly username: string;
  /** Only the engine interprets it. */
  readonly incarnation: string;
}

/** The data stored with a lease: names and times that everyone on the server can read. */
export interface LeaseRecord {
  readonly issuedAt: Instant;
  /** No renewal can go beyond this time. */
  readonly maxExpiresAt: Instant;
  /** Version of the pepper the password was derived with; absent when it is random. */
  readonly pepper?: string;
  /** When the latch was committed. */
  readonly latchedAt?: Instant;
  /** The lease's original expiry; a latch overwrites the expiry itself. */
  readonly expiredAt?: Instant;
  /** Since when a reader could not be checked; undefined once all were checked. */
  readonly unverifiedAt?: Instant;
}

/** A role that the database proves to be a lease. */
export interface Lease extends LeaseRef {
  /** False after the latch: the role can never log in again. */
  readonly canLogin: boolean;
  /** When logins stop, or stopped. */
  readonly expiresAt?: Instant;
  /** Undefined if the role has no record, or one that Mayfly did not write. */
  readonly record?: LeaseRecord;
}

/**
 * A role that is named like a lease: either a lease, or a foreign role that must not be touched.
 */
export type Recognition =
  | { readonly kind: "lease"; readonly lease: Lease }
  | { readonly kind: "foreign"; readonly username: string; readonly why: string };

/** A latched lease is always due: only something that blocks its DROP may keep it. */
export const isDue = (lease: Lease, now: Instant): boolean =>
  !lease.canLogin || lease.expiresAt === undefined || lease.expiresAt <= now;
