import { KeeperError } from "../../client/keeper/errors.ts";
import type { SourceFailure } from "../../client/keeper/keeper.ts";
import type {
  IssuedLease,
  LeaseEnds,
  LeaseSource,
} from "../../client/keeper/sources/lease-source.ts";
import { LeaseEndedError } from "../../core/errors.ts";
import { refreshPoint } from "../../core/leases/credential.ts";
import { Secret } from "../../core/secret.ts";
import { type Duration, type Instant, milliseconds, plus, seconds } from "../../core/time.ts";
import type { VirtualWorld } from "./virtual-time.ts";

interface FakeLease {
  readonly id: string;
  readonly key: string;
  readonly issuedAt: Instant;
  expiresAt: Instant;
  readonly maxExpiresAt: Instant;
}

export interface FakeIssuerOptions {
  readonly ttl: Duration;
  readonly maxTtl: Duration;
  /** @default - no limit */
  readonly maxLeases?: number;
  /** How long a call takes. @default 50 ms */
  readonly latency?: Duration;
}

/** An issuer without a database, by the rules of the real one; its clock is the world's. */
export class FakeIssuer implements LeaseSource {
  readonly name = "orders-issuer:app--readonly";
  readonly #world: VirtualWorld;
  readonly #options: FakeIssuerOptions;
  readonly #latency: Duration;
  readonly leases = new Map<string, FakeLease>();
  readonly #byKey = new Map<string, FakeLease>();
  readonly calls: { readonly action: string; readonly at: Instant; readonly id?: string }[] = [];
  /** Undefined: calls succeed. Else what they fail with. */
  failure: SourceFailure | undefined;
  /** Calls have no answer until their signal aborts. */
  isSilent = false;
  maxTtl: Duration;
  maxLeases: number;
  running = 0;
  mostRunning = 0;
  /** How many calls there may be at a time. */
  concurrency = Number.POSITIVE_INFINITY;

  constructor(world: VirtualWorld, options: FakeIssuerOptions) {
    this.#world = world;
    this.#options = options;
    this.#latency = options.latency ?? milliseconds(50);
    this.maxTtl = options.maxTtl;
    this.maxLeases = options.maxLeases ?? Number.POSITIVE_INFINITY;
  }

  countOf = (action: string): number => this.calls.filter((call) => call.action === action).length;

  async issue(
    request: {
      readonly key: string;
      readonly ttlSeconds?: number | undefined;
      readonly minRemainingSeconds?: number | undefined;
    },
    signal: AbortSignal,
  ): Promise<IssuedLease> {
    return this.#answer("issue", undefined, signal, () => {
      const { key, ttlSeconds, minRemainingSeconds } = request;
      const now = this.#world.now();
      const most = this.maxTtl / 2;
      if (seconds(minRemainingSeconds ?? 0) > most)
        throw new KeeperError("invalid", `minRemainingSeconds ${minRemainingSeconds} is too much`);
      const least = minRemainingSeconds === undefined ? seconds(10) : seconds(minRemainingSeconds);
      const known = this.#byKey.get(key);
      if (known !== undefined && this.#isAnswer(known, least)) return this.#credential(known);
      if (this.#live() >= this.maxLeases) throw new KeeperError("limit", "too many leases");
      const issuedAt = (Math.floor(now / 1_000) * 1_000) as Instant;
      const lease: FakeLease = {
        id: `orders/readonly/mf_${this.leases.size + 1}`,
        key,
        issuedAt,
        expiresAt: plus(issuedAt, this.#ttlOf(ttlSeconds)),
        maxExpiresAt: plus(issuedAt, this.maxTtl),
      };
      this.leases.set(lease.id, lease);
      this.#byKey.set(key, lease);
      return this.#credential(lease);
    });
  }

  async renew(id: string, ttlSeconds: number | undefined, signal: AbortSignal): Promise<LeaseEnds> {
    return this.#answer("renew", id, signal, () => {
      const lease = this.leases.get(id);
      const now = this.#world.now();
      if (lease === undefined || lease.expiresAt <= now)
        throw new LeaseEndedError(`lease ${id} cannot be renewed`);
      const max = Math.min(lease.maxExpiresAt, lease.issuedAt + this.maxTtl) as Instant;
      lease.expiresAt = Math.min(max, now + this.#ttlOf(ttlSeconds)) as Instant;
      return {
        expiresAt: lease.expiresAt,
        maxExpiresAt: max,
        refreshAfter: refreshPoint(now, lease.expiresAt),
      };
    });
  }

  async revoke(id: string, signal: AbortSignal): Promise<void> {
    return this.#answer("revoke", id, signal, () => this.end(id));
  }

  /** An operator revokes it, or its time is up. */
  end(id: string): void {
    const lease = this.leases.get(id);
    if (lease !== undefined) lease.expiresAt = 0 as Instant;
  }

  isValid = (id: string): boolean => (this.leases.get(id)?.expiresAt ?? 0) > this.#world.now();

  async #answer<T>(
    action: string,
    id: string | undefined,
    signal: AbortSignal,
    make: () => T,
  ): Promise<T> {
    this.calls.push({ action, at: this.#world.now(), ...(id !== undefined && { id }) });
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      if (this.running > this.concurrency)
        throw new KeeperError("throttled", `${this.name} is called too often`);
      if (this.isSilent)
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      await this.#world.wait(this.#latency);
      if (this.failure !== undefined) throw new KeeperError(this.failure, `it is ${this.failure}`);
      return make();
    } finally {
      this.running -= 1;
    }
  }

  #ttlOf = (ttlSeconds: number | undefined): Duration =>
    ttlSeconds === undefined ? this.#options.ttl : seconds(ttlSeconds);

  #isAnswer(lease: FakeLease, least: Duration): boolean {
    const now = this.#world.now();
    const max = Math.min(lease.maxExpiresAt, lease.issuedAt + this.maxTtl);
    return lease.expiresAt > now + seconds(5) && max >= now + least;
  }

  #live(): number {
    const now = this.#world.now();
    if (this.maxLeases === Number.POSITIVE_INFINITY) return 0;
    return [...this.leases.values()].filter(({ expiresAt }) => expiresAt > now).length;
  }

  #credential(lease: FakeLease): IssuedLease {
    const { id, issuedAt, expiresAt, maxExpiresAt } = lease;
    return {
      login: {
        id,
        username: id.split("/")[2] ?? "",
        password: new Secret(`password of ${id}`),
        host: "db.example",
        port: 5432,
        dbname: "orders",
        tls: "verify-full",
      },
      issuedAt,
      expiresAt,
      maxExpiresAt,
      refreshAfter: refreshPoint(issuedAt, expiresAt),
      mayHaveNext: this.maxLeases > 1,
    };
  }
}
