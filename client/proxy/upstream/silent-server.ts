import { type Duration, seconds } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";

/**
 * Silence of a server that owes an answer, after which we ask whether it is there at all. With two
 * probes of at most eight seconds and looks every five, a lost connection is told within 60.
 */
export const SILENCE: Duration = seconds(20);

/** So many failed probes in a row end a session. */
const FAILED_PROBES = 2;

/** What a session knows of its server. */
export interface ServerSilence {
  /** The server owes a ReadyForQuery. */
  readonly isAnswerOwed: boolean;
  /** Since the last byte of the server. */
  readonly length: Duration;
}

/** What looking at a silent server needs. */
export interface SilentServerOptions {
  readonly silence: () => ServerSilence;
  /** Whether the session's address answers; see `Servers.probe`. */
  readonly probe: (signal: AbortSignal) => Promise<boolean>;
  readonly time: ClientTime;
}

/**
 * Tells a server that works on a long statement from a connection that leads nowhere: what was
 * sent to that would be waited for for 15 minutes. Another connection to the same address shows
 * which. One of these a session.
 */
export class SilentServer {
  readonly #options: SilentServerOptions;
  #failed = 0;
  #isProbing = false;
  /** When a look first saw that an answer is owed: who was idle for an hour has asked just now. */
  #owedAt: Duration | undefined;
  #answeredAt: Duration | undefined;

  constructor(options: SilentServerOptions) {
    this.#options = options;
  }

  /**
   * To be called every five seconds or so; returns at once while an earlier call probes.
   *
   * @returns whether the connection is lost: the session should end.
   */
  async look(signal: AbortSignal): Promise<boolean> {
    if (this.#isProbing) return false;
    this.#owedAt = this.#options.silence().isAnswerOwed
      ? (this.#owedAt ?? this.#options.time.monotonic())
      : undefined;
    if (!this.#isTooSilent) {
      this.#failed = 0;
      this.#answeredAt = undefined;
      return false;
    }
    if (!this.#isLongSince(this.#answeredAt)) return false;
    this.#isProbing = true;
    const answers = await this.#options.probe(signal).finally(() => {
      this.#isProbing = false;
    });
    if (signal.aborted) return false;
    this.#failed = answers ? 0 : this.#failed + 1;
    this.#answeredAt = answers ? this.#options.time.monotonic() : undefined;
    return this.#failed >= FAILED_PROBES && this.#isTooSilent;
  }

  get #isTooSilent(): boolean {
    const { isAnswerOwed, length } = this.#options.silence();
    return isAnswerOwed && length >= SILENCE && this.#isLongSince(this.#owedAt);
  }

  #isLongSince(moment: Duration | undefined): boolean {
    return moment === undefined || this.#options.time.monotonic() - moment >= SILENCE;
  }
}
