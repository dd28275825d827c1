import { type Duration, type Instant, milliseconds, minutes, seconds } from "../../core/time.ts";
import type { Login } from "./keeper.ts";
import type { IssuedLease, LeaseEnds } from "./sources/lease-source.ts";

/**
 * How long a lease and the next are valid together where the maximum allows. Pools give connections
 * up to 30 minutes (HikariCP's default); five more let a connection that began late end by itself.
 */
export const OVERLAP: Duration = minutes(35);

/**
 * Replicas that started together do not call together: renewals are spread over ± 7 % of a life,
 * and requests for the next lease over 7 % of an overlap.
 */
const SPREAD = 0.07;

/** The issuer must not find that this lease still lives long enough: clocks show whole seconds. */
const BEYOND_THIS_LEASE: Duration = seconds(5);

/** One lease that a keeper holds. Times are of the database's clock. */
export class HeldLease {
  readonly login: Login;
  readonly #issuedAt: Instant;
  readonly #random: () => number;
  readonly #wish: Duration;
  readonly mayHaveNext: boolean;
  /** Connections that use it. */
  uses = 0;
  /** Whether its end without a next lease was announced. */
  isEndAnnounced = false;
  #ends: LeaseEnds;
  /** When to renew it, or to see whether it is over. */
  lookAt: Instant;
  /** Until then, a server that refuses it is no reason to look at it. */
  vouchedUntil: Instant;
  /** When to ask for the next. */
  nextAt: Instant;

  /** @param wish for how long it and the next shall be valid together. */
  constructor(issued: IssuedLease, random: () => number, wish: Duration) {
    this.login = issued.login;
    this.#issuedAt = issued.issuedAt;
    this.#random = random;
    this.#wish = wish;
    this.mayHaveNext = issued.mayHaveNext;
    this.#ends = issued;
    this.lookAt = this.#lookOf(issued);
    this.vouchedUntil = issued.issuedAt;
    this.nextAt = this.#nextOf(issued);
  }

  get id(): string {
    return this.login.id;
  }

  get expiresAt(): Instant {
    return this.#ends.expiresAt;
  }

  get maxExpiresAt(): Instant {
    return this.#ends.maxExpiresAt;
  }

  /** How long it lives after a renewal. `refreshAfter` is two thirds on. */
  get life(): Duration {
    return lifeOf(this.#ends);
  }

  get canBeRenewed(): boolean {
    return this.expiresAt < this.maxExpiresAt;
  }

  /** How long this lease and the next are valid together at least: the wish, or 46.5 % of the maximum. */
  get overlap(): Duration {
    return milliseconds(Math.floor(Math.min(this.#wish, this.#half * (1 - SPREAD))));
  }

  /** How long the next lease must live at least. An issuer accepts half of the maximum at most. */
  get remainingOfNext(): Duration {
    const wanted = this.maxExpiresAt - this.nextAt + BEYOND_THIS_LEASE;
    return milliseconds(Math.max(0, Math.min(wanted, this.#half)));
  }

  /** It was renewed. The maximum may have become smaller: a deployment can lower it. */
  renewed(ends: LeaseEnds): void {
    const isSameEnd = ends.maxExpiresAt === this.#ends.maxExpiresAt;
    this.#ends = ends;
    this.lookAt = this.#lookOf(ends);
    if (!isSameEnd) this.nextAt = this.#nextOf(ends);
  }

  #lookOf(ends: LeaseEnds): Instant {
    if (ends.expiresAt >= ends.maxExpiresAt) return ends.expiresAt;
    const jitter = (this.#random() * 2 - 1) * SPREAD * lifeOf(ends);
    return Math.round(ends.refreshAfter + jitter) as Instant;
  }

  /** Before the overlap begins, by up to 7 % of it. */
  #nextOf({ maxExpiresAt }: LeaseEnds): Instant {
    const longest = Math.min(this.#wish * (1 + SPREAD), this.#half);
    const before = this.overlap + this.#random() * (longest - this.overlap);
    return Math.round(maxExpiresAt - before) as Instant;
  }

  get #half(): number {
    return Math.max(0, (this.maxExpiresAt - this.#issuedAt) / 2);
  }
}

const lifeOf = ({ refreshAfter, expiresAt }: LeaseEnds): Duration =>
  milliseconds((expiresAt - refreshAfter) * 3);
