import type { ClientTime } from "../../client/time.ts";
import { type Duration, minutes } from "../../core/time.ts";
import type { LogLine } from "./proxy-log.ts";

/** Who has no password or token can cause these as often as they like. */
const REFUSALS: ReadonlySet<string> = new Set(["client-refused", "secret-refused"]);

const ONE_LINE_IN = minutes(1);

interface Told {
  readonly at: Duration;
  /** Refusals since then that had no line. */
  readonly left: number;
}

/** Leaves lines out: of one kind of refusal there is one a minute, which says how many it is for. */
export class SparedLines {
  readonly #time: Pick<ClientTime, "monotonic">;
  readonly #told = new Map<string, Told>();

  constructor(time: Pick<ClientTime, "monotonic">) {
    this.#time = time;
  }

  /** The line to write. Undefined: none. */
  take(event: string, line: LogLine): LogLine | undefined {
    if (!REFUSALS.has(event)) return line;
    // the message has what the client chose in it
    const { login = "", sqlstate = "", status = "" } = line.fields;
    const kind = [event, login, sqlstate, status].join(" ");
    const at = this.#time.monotonic();
    const last = this.#told.get(kind);
    if (last !== undefined && at - last.at < ONE_LINE_IN) {
      this.#told.set(kind, { ...last, left: last.left + 1 });
      return undefined;
    }
    this.#told.set(kind, { at, left: 0 });
    if (last === undefined || last.left === 0) return line;
    const { left } = last;
    return {
      ...line,
      words: `${line.words}; ${left} more like it since the last line`,
      fields: { ...line.fields, more: left },
    };
  }
}
