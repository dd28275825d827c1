import type { LeaseRef } from "../../../core/leases/lease.ts";
import type { LeaseName } from "../../../core/leases/lease-name.ts";
import type { Engine, IssuedLogin } from "../../../core/leases/lease-ports.ts";
import type { Secret } from "../../../core/secret.ts";

/** A session of a lease's, as an application has one. */
export interface UserSession {
  /** Whether it still answers. */
  isAlive(): Promise<boolean>;
  end(): Promise<void>;
}

/**
 * An engine, and what its users and time can do to it from outside. The dynamic role that is issued has
 * room for exactly `limit` leases, a default life of an hour and a maximum of a day.
 */
export interface UnderTest {
  /** Function instances over one and the same ledger, eight or more. */
  readonly engines: readonly [Engine, ...Engine[]];
  readonly limit: number;
  /** A name that was never used, of the role under test; with a key it has the key's digest. */
  nameOf(key?: string): LeaseName;
  /** The version of a pepper, which a lease with a key is issued with. */
  readonly pepper: string;
  /** @returns `undefined` when the login is refused. */
  logIn(username: string, password: Secret): Promise<UserSession | undefined>;
  /** Let a lease have expired a moment ago, by the engine's own clock. */
  expire(username: string): Promise<void>;
  /** Let a lease have something that keeps it from being dropped. */
  litter(username: string): Promise<void>;
  /** Whether whoever clears up after leases may become this one. */
  isLent(username: string): Promise<boolean>;
  /** Take away what {@link litter} gave it. */
  clear(username: string): Promise<void>;
}

/** What an engine must do, in one sentence, and how it is seen. */
export interface ConformanceCase {
  readonly title: string;
  /** @throws AssertionError when the engine does not. */
  readonly run: (test: UnderTest) => Promise<void>;
}

/** A lease by what its issue answered. */
export const refOf = (name: LeaseName, { username, incarnation }: IssuedLogin): LeaseRef => ({
  name,
  username,
  incarnation,
});
