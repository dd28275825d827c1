import { between, type Duration, type Instant, milliseconds, seconds } from "../../../core/time.ts";
import type { Keeper, KeeperEvents, Login } from "../../keeper/keeper.ts";
import type { ClientTime } from "../../time.ts";
import type { Session } from "../session/session.ts";
import { decideEnd, type EndPhases, endPhases } from "./end-phases.ts";

/** The end of a lease that has a next one. */
interface LeaseEnd {
  readonly login: Login;
  readonly endsAt: Instant;
  readonly phases: EndPhases;
}

export interface LeaseEndsOptions {
  readonly keeper: Keeper;
  readonly sessions: ReadonlySet<Session>;
  readonly time: ClientTime;
}

/**
 * Ends the sessions of leases that have a next one, before the leases end. The last lease is left
 * alone: who is ended would come back to the same one.
 */
export class LeaseEnds {
  readonly #options: LeaseEndsOptions;
  readonly #ends = new Map<string, LeaseEnd>();
  readonly #stopped = new AbortController();
  #isLooking = false;

  constructor(options: LeaseEndsOptions) {
    this.#options = options;
    options.keeper.on("replaced", this.#replaced);
  }

  stop(): void {
    this.#options.keeper.off("replaced", this.#replaced);
    this.#stopped.abort();
  }

  readonly #replaced = ({ before }: KeeperEvents["replaced"][0]): void => {
    const { keeper, time } = this.#options;
    const endsAt = keeper.endOf(before);
    if (endsAt === undefined) return;
    const overlap = between(time.now(), endsAt);
    this.#ends.set(before.id, { login: before, endsAt, phases: endPhases(overlap) });
    if (!this.#isLooking) void this.#look();
  };

  async #look(): Promise<void> {
    const { time } = this.#options;
    const { signal } = this.#stopped;
    this.#isLooking = true;
    try {
      while (this.#ends.size > 0 && !signal.aborted) {
        await time.wait(this.#pause(), signal);
        if (!signal.aborted) this.#endSessions();
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** Often enough for the shortest phase, and each second is enough. */
  #pause(): Duration {
    const shortest = [...this.#ends.values()].map(({ phases }) =>
      Math.min(phases.quietFor, phases.last, phases.forced),
    );
    return milliseconds(Math.max(10, Math.min(seconds(1), ...shortest) / 2));
  }

  #endSessions(): void {
    const { keeper, sessions, time } = this.#options;
    for (const [id, { login, endsAt, phases }] of this.#ends) {
      // the keeper knows of clocks that were set; it may have forgotten the lease
      const left = between(time.now(), keeper.endOf(login) ?? endsAt);
      for (const session of sessions)
        if (session.server.login.id === id) endOne(session, phases, left);
      if (left === 0) this.#ends.delete(id);
    }
  }
}

function endOne(session: Session, phases: EndPhases, left: Duration): void {
  if (session.isOver) return;
  switch (decideEnd(phases, left, session)) {
    case "end":
      session.endWhenIdle("quiet");
      return;
    case "end-between-transactions":
      session.endWhenIdle("between-transactions");
      return;
    case "force":
      session.force("forced");
      return;
    case "keep":
  }
}
