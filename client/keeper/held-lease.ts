import { type Duration, type Instant, milliseconds, minutes } from "../../core/time.ts";
import type { Login } from "./keeper.ts";
import type { IssuedLease, LeaseEnds } from "./lease-source.ts";

/**
 * How long a lease and the next are valid together, at most. Pools give connections up to 30
 * minutes (HikariCP's default); five more let a connection that began late end by itself.
 */
const LONGEST_OVERLAP: Duration = minutes(35);

/** Replicas that started together do not call together: renewals are spread over ± 7 % of a life. */
const SPREAD = 0.07;

/** One lease that a keeper holds. Times are of the database's clock. */
export class HeldLease {
  readonly login: Login;
  readonly #issuedAt: Instant;
  readonly #random: () => number;
  readonly mayHaveNext: boolean;
  /** Connections that use it. */
  uses = 0;
  /** Whether its end without a next lease was announced. */
  isEndAnnounced = false;
  #ends: LeaseEnds;
  /** When to renew it, or to see whether it is over. */
  lookAt: Instant;
  /** When to ask for the next. */
  nextAt: Instant;

  constructor(issued: IssuedLease, random: () => number) {
    this.login = issued.login;
    this.#issuedAt = issued.issuedAt;
    this.#random = random;
    this.mayHaveNext = issued.mayHaveNext;
    this.#ends = issued;
    this.lookAt = this.#lookOf(issued);
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

  /** min(35 min, half of the maximum), which is the most that an issuer accepts. */
  get overlap(): Duration {
    const half = (this.maxExpiresAt - this.#issuedAt) / 2;
    return milliseconds(Math.max(0, Math.min(LONGEST_OVERLAP, half)));
  }

  /** What remains of the overlap if the next lease is asked for as late as it may be. */
  get certainOverlap(): Duration {
    return milliseconds(Math.floor(this.overlap * (1 - SPREAD)));
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

  /** Up to 7 % of the overlap later than its begin: earlier, the issuer would answer with this one. */
  #nextOf({ maxExpiresAt }: LeaseEnds): Instant {
    return Math.round(maxExpiresAt - this.overlap * (1 - SPREAD * this.#random())) as Instant;
  }
}

const lifeOf = ({ refreshAfter, expiresAt }: LeaseEnds): Duration =>
  milliseconds((expiresAt - refreshAfter) * 3);
