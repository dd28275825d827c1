import type { LeaseRef } from "../../../core/leases/lease.ts";
import type { LeaseName } from "../../../core/leases/lease-name.ts";
import type { Engine, IssuedLogin } from "../../../core/leases/lease-ports.ts";
import type { Secret } from "../../../core/secret.ts";

/** A session of a lease, as an application opens it. */
export interface UserSession {
  /** Whether the session still answers. */
  isAlive(): Promise<boolean>;
  end(): Promise<void>;
}

/**
 * An engine, and what users and time can do to it from outside. Its dynamic role allows exactly
 * `limit` leases, with a default ttl of an hour and a maximum of a day.
 */
export interface UnderTest {
  /** Function instances on the same ledger, eight or more. */
  readonly engines: readonly [Engine, ...Engine[]];
  readonly limit: number;
  /** An unused name of the role under test; with a key, it has the key's digest. */
  nameOf(key?: string): LeaseName;
  /** The version of the pepper for leases with a key. */
  readonly pepper: string;
  /** @returns undefined if the login is refused. */
  logIn(username: string, password: Secret): Promise<UserSession | undefined>;
  /** Make a lease expire a moment ago, by the engine's own clock. */
  expire(username: string): Promise<void>;
  /** Give a lease something that blocks its DROP. */
  litter(username: string): Promise<void>;
  /** Whether the janitor may act as this lease. */
  isLent(username: string): Promise<boolean>;
  /** Remove what {@link litter} gave it. */
  clear(username: string): Promise<void>;
}

/** One requirement of an engine, in one sentence, and its check. */
export interface ConformanceCase {
  readonly title: string;
  /** @throws AssertionError if the engine does not meet it. */
  readonly run: (test: UnderTest) => Promise<void>;
}

/** The lease in the answer of an issue. */
export const refOf = (name: LeaseName, { username, incarnation }: IssuedLogin): LeaseRef => ({
  name,
  username,
  incarnation,
});
