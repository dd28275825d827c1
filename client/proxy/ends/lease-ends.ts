import { between, type Duration, type Instant, milliseconds, seconds } from "../../../core/time.ts";
import type { Keeper, KeeperEvents, Login } from "../../keeper/keeper.ts";
import type { ClientTime } from "../../time.ts";
import type { Session } from "../session/session.ts";
import { decideEnd, type EndPhases, endPhases } from "./end-phases.ts";

const SHORTEST_PAUSE = milliseconds(10);
/** Somebody may set the clock. */
const LONGEST_PAUSE = seconds(10);

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
  #waiting = new AbortController();

  constructor(options: LeaseEndsOptions) {
    this.#options = options;
    options.keeper.on("replaced", this.#replaced);
  }

  stop(): void {
    this.#options.keeper.off("replaced", this.#replaced);
    this.#stopped.abort();
    this.#waiting.abort();
  }

  readonly #replaced = ({ before }: KeeperEvents["replaced"][0]): void => {
    const { keeper, time } = this.#options;
    const endsAt = keeper.endOf(before);
    if (endsAt === undefined) return;
    const overlap = between(time.now(), endsAt);
    this.#ends.set(before.id, { login: before, endsAt, phases: endPhases(overlap) });
    this.#waiting.abort();
    if (!this.#isLooking) void this.#look();
  };

  async #look(): Promise<void> {
    const { time } = this.#options;
    const { signal } = this.#stopped;
    this.#isLooking = true;
    try {
      while (this.#ends.size > 0 && !signal.aborted) {
        this.#waiting = new AbortController();
        await time.wait(this.#pause(), this.#waiting.signal);
        if (!signal.aborted) this.#endSessions();
      }
    } finally {
      this.#isLooking = false;
    }
  }

  /** Up to the next lease's quiet phase; in a phase, often enough for the shortest one. */
  #pause(): Duration {
    const pauses = [...this.#ends.values()].map((end) => {
      const { quiet, quietFor, last, forced } = end.phases;
      return Math.max(this.#leftOf(end) - quiet, Math.min(quietFor, last, forced) / 2);
    });
    return milliseconds(Math.max(SHORTEST_PAUSE, Math.min(LONGEST_PAUSE, ...pauses)));
  }

  /** The keeper knows of clocks that were set; it may have forgotten the lease. */
  #leftOf({ login, endsAt }: LeaseEnd): Duration {
    const { keeper, time } = this.#options;
    return between(time.now(), keeper.endOf(login) ?? endsAt);
  }

  #endSessions(): void {
    const { sessions } = this.#options;
    for (const [id, end] of this.#ends) {
      const left = this.#leftOf(end);
      for (const session of sessions)
        if (session.server.login.id === id) endOne(session, end.phases, left);
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
