import type { Instant } from "../../../core/time.ts";
import type { Login } from "../keeper.ts";

/** When a lease ends, by the database's clock. */
export interface LeaseEnds {
  readonly expiresAt: Instant;
  /** No renewal moves the end beyond this. */
  readonly maxExpiresAt: Instant;
  /** After two thirds of the time from the answer to `expiresAt`. */
  readonly refreshAfter: Instant;
}

/** A lease as it was issued, now or earlier. */
export interface IssuedLease extends LeaseEnds {
  readonly login: Login;
  /** By the database's clock, which shows whole seconds here. */
  readonly issuedAt: Instant;
  /** False where a limit is 1: there may be no second lease beside this one. */
  readonly mayHaveNext: boolean;
}

export interface IssueRequest {
  readonly key: string;
  readonly ttlSeconds?: number | undefined;
  /** An earlier lease of the key is the answer only if it can live this long. */
  readonly minRemainingSeconds?: number | undefined;
}

/**
 * Where leases come from. Calls may be repeated: the same key finds the same lease.
 *
 * Every method throws KeeperError. The signal ends a call.
 */
export interface LeaseSource {
  /** Its name in messages, e.g. `orders-issuer:reporting--readonly`. */
  readonly name: string;
  issue(request: IssueRequest, signal: AbortSignal): Promise<IssuedLease>;
  /** @throws LeaseEndedError if the lease is over. */
  renew(id: string, ttlSeconds: number | undefined, signal: AbortSignal): Promise<LeaseEnds>;
  /** Succeeds also for a lease that is over. */
  revoke(id: string, signal: AbortSignal): Promise<void>;
}
