import { LeaseEndedError } from "../../core/errors.ts";
import { type Duration, milliseconds } from "../../core/time.ts";
import { elapsedSince, type Moment, momentOf } from "../keeper/elapsed.ts";
import { KeeperError } from "../keeper/errors.ts";
import type { SourceFailure } from "../keeper/keeper.ts";
import type { LeaseEnds, LeaseSource } from "../keeper/sources/lease-source.ts";
import type { SecretSource } from "../keeper/sources/secrets-manager.ts";
import type { ClientTime } from "../time.ts";

/** Failures that are an answer: whoever gives them is there. */
const ANSWERS: ReadonlySet<SourceFailure> = new Set(["limit", "invalid"]);
/** Ends that are remembered: of the newest lease and of those before it. */
const ENDS_KEPT = 8;

/** Looks on while a keeper calls its source. */
export class SourceWatch {
  readonly #time: ClientTime;
  readonly #onBack: (source: string, after: Duration) => void;
  readonly #ends = new Map<string, LeaseEnds>();
  #awaySince: Moment | undefined;

  constructor(time: ClientTime, onBack: (source: string, after: Duration) => void) {
    this.#time = time;
    this.#onBack = onBack;
  }

  /** For how long no call has been answered. 0: the last one was. */
  get away(): Duration {
    return this.#awaySince === undefined
      ? milliseconds(0)
      : elapsedSince(this.#time, this.#awaySince);
  }

  /** When a lease ends, by the database's clock. */
  endsOf(id: string): LeaseEnds | undefined {
    return this.#ends.get(id);
  }

  leases(source: LeaseSource): LeaseSource {
    const { name } = source;
    return {
      name,
      issue: (request, signal) =>
        this.#call(name, async () => {
          const lease = await source.issue(request, signal);
          this.#remember(lease.login.id, lease);
          return lease;
        }),
      renew: (id, ttlSeconds, signal) =>
        this.#call(name, async () => {
          const ends = await source.renew(id, ttlSeconds, signal);
          this.#remember(id, ends);
          return ends;
        }),
      revoke: (id, signal) => this.#call(name, () => source.revoke(id, signal)),
    };
  }

  secrets(source: SecretSource): SecretSource {
    const { name } = source;
    return { name, read: (signal) => this.#call(name, () => source.read(signal)) };
  }

  async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call();
      this.#answered(name);
      return answer;
    } catch (error) {
      const isAnswer =
        error instanceof LeaseEndedError ||
        (error instanceof KeeperError && ANSWERS.has(error.failure));
      if (isAnswer) this.#answered(name);
      else this.#awaySince ??= momentOf(this.#time);
      throw error;
    }
  }

  #answered(name: string): void {
    const after = this.away;
    if (this.#awaySince !== undefined) this.#onBack(name, after);
    this.#awaySince = undefined;
  }

  #remember(id: string, { expiresAt, maxExpiresAt, refreshAfter }: LeaseEnds): void {
    this.#ends.delete(id);
    this.#ends.set(id, { expiresAt, maxExpiresAt, refreshAfter });
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > ENDS_KEPT && oldest !== undefined) this.#ends.delete(oldest);
  }
}
