/** A clock with alarms. All times are milliseconds since the epoch. */
export interface Clock {
  now(): number;
  /** Run `task` at `due` or later, never earlier. Returns a function that cancels it. */
  at(due: number, task: () => void): () => void;
}

interface Alarm {
  readonly due: number;
  readonly task: () => void;
  timer?: NodeJS.Timeout;
}

/** Longer waits overflow a timer. Milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** This machine's time plus the time by which the clock was moved forward. */
export class MovableClock implements Clock {
  readonly #alarms = new Set<Alarm>();
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  at(due: number, task: () => void): () => void {
    const alarm: Alarm = { due, task };
    this.#alarms.add(alarm);
    this.#arm(alarm);
    return () => this.#disarm(alarm);
  }

  /** When the next alarm is due. Undefined if there is none. */
  get next(): number | undefined {
    const all = [...this.#alarms].map(({ due }) => due);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  /** Move the clock forward, and run what is due by then. */
  moveTo(instant: number): void {
    this.#ahead += Math.max(0, instant - this.now());
    for (const alarm of [...this.#alarms].sort((a, b) => a.due - b.due)) this.#ring(alarm);
  }

  #arm(alarm: Alarm): void {
    clearTimeout(alarm.timer);
    const wait = Math.min(Math.max(0, alarm.due - this.now()), LONGEST_TIMER);
    alarm.timer = setTimeout(() => this.#ring(alarm), wait);
  }

  #ring(alarm: Alarm): void {
    if (!this.#alarms.has(alarm)) return;
    if (this.now() < alarm.due) {
      this.#arm(alarm);
      return;
    }
    this.#disarm(alarm);
    alarm.task();
  }

  #disarm(alarm: Alarm): void {
    clearTimeout(alarm.timer);
    this.#alarms.delete(alarm);
  }
}
