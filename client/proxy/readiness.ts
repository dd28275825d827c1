import { type Duration, seconds } from "../../core/time.ts";
import { ServerUnreachable } from "./server-login.ts";
import { openServerSession, type ServerSessionsOptions } from "./server-sessions.ts";
import { Slots } from "./slots.ts";
import { refusalFor } from "./startup/no-session.ts";

/** A login is not free, and several may ask. */
const GOOD_FOR = seconds(1);

/** Protocol 3.0. */
const PROTOCOL = 196_608;

/** Whether a client would get a session now: a whole login at the server, and its end. */
export class Readiness {
  readonly #opening: ServerSessionsOptions;
  readonly #within: Duration;
  #wasReady = true;
  #last: { readonly at: Duration; readonly answer: Promise<boolean> } | undefined;

  constructor(opening: ServerSessionsOptions, within: Duration) {
    this.#opening = opening;
    this.#within = within;
  }

  /** False, too, when `signal` aborts before there is an answer. */
  async isReady(signal: AbortSignal | undefined): Promise<boolean> {
    const at = this.#opening.time.monotonic();
    if (this.#last === undefined || at - this.#last.at >= GOOD_FOR)
      this.#last = { at, answer: this.#logIn() };
    const { answer } = this.#last;
    return signal === undefined ? answer : Promise.race([answer, aborted(signal)]);
  }

  async #logIn(): Promise<boolean> {
    const { time } = this.#opening;
    const [done, late] = [new AbortController(), new AbortController()];
    void time.wait(this.#within, done.signal).then(() => {
      if (!done.signal.aborted) late.abort(new ServerUnreachable("it did not let us in in time"));
    });
    const startup = { protocol: PROTOCOL, parameters: new Map<string, string>() };
    try {
      const { side } = await openServerSession(this.#opening, startup, late.signal);
      side.socket.on("error", () => {});
      side.leave();
      this.#wasReady = true;
    } catch (error) {
      if (this.#wasReady) this.#tell(error);
      this.#wasReady = false;
    } finally {
      done.abort();
    }
    return this.#wasReady;
  }

  /** Once, until it is ready again: probes come each few seconds. */
  #tell(error: unknown): void {
    const { sqlstate, message } = refusalFor(error);
    const { applicationName: application, onEvent } = this.#opening;
    onEvent({ kind: "login-failed", application, sqlstate, message });
  }
}

/** As a proxy waits for a login of a client. */
const LONGEST_LOGIN = seconds(20);

/** The readiness of a login that programs use by themselves, at its own server. */
export const loginReadiness = (
  options: Omit<ServerSessionsOptions, "server" | "slots" | "onStage">,
): Readiness =>
  new Readiness({ ...options, server: undefined, slots: new Slots(1) }, LONGEST_LOGIN);

const aborted = (signal: AbortSignal): Promise<false> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
