import type { Instant } from "../time.ts";
import type { LeaseName } from "./lease-name.ts";

/** A lease as operations name it: the incarnation pins it to one life of that name. */
export interface LeaseRef {
  readonly name: LeaseName;
  readonly username: string;
  /** Opaque to everybody but the engine. */
  readonly incarnation: string;
}

/** What is kept with a lease: opaque names and times, readable by everyone on the server. */
export interface LeaseRecord {
  readonly issuedAt: Instant;
  /** No renewal goes beyond this. */
  readonly maxExpiresAt: Instant;
  /** Version of the pepper the password was derived with; absent when it is random. */
  readonly pepper?: string;
  /** When the latch was committed. */
  readonly latchedAt?: Instant;
  /** When the lease was to expire; a latch overwrites the expiry itself. */
  readonly expiredAt?: Instant;
  /** When a reader could not be looked at for the first time; absent once all were. */
  readonly unverifiedAt?: Instant;
}

/** A lease that the database's evidence supports. */
export interface Lease extends LeaseRef {
  /** False once latched: it never logs in again. */
  readonly canLogin: boolean;
  /** When the door closes, or closed. */
  readonly expiresAt?: Instant;
  /** Absent when there is none, or it is not ours. */
  readonly record?: LeaseRecord;
}

/** Something that is named like a lease of ours: it is one, or it is not and must not be touched. */
export type Recognition =
  | { readonly kind: "lease"; readonly lease: Lease }
  | { readonly kind: "foreign"; readonly username: string; readonly why: string };

/** A latched lease is always due: nothing may keep it but what blocks its DROP. */
export const isDue = (lease: Lease, now: Instant): boolean =>
  !lease.canLogin || lease.expiresAt === undefined || lease.expiresAt <= now;
