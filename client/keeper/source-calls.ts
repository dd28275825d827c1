import { seconds, toSeconds } from "../../core/time.ts";
import type { ClientTime } from "../time.ts";
import { callWithin } from "./call-within.ts";
import { elapsedSince, type Moment, momentOf } from "./elapsed.ts";
import { KeeperError } from "./errors.ts";

/** An issuer may take 30 seconds; what takes longer has no answer. */
const LONGEST_CALL = seconds(30);

/** The reason of aborting a call that was frozen. */
const FROZEN = new Error("the process was frozen during the call");

/** An answer, and the moment of asking. */
export interface Answer<T> {
  readonly answer: T;
  readonly at: Moment;
}

/** The calls of a source: in steps that are taken one after the other, and none without an end. */
export class SourceCalls {
  readonly #name: string;
  readonly #time: ClientTime;
  #queue: Promise<unknown> = Promise.resolve();
  #call: { readonly at: Moment; readonly abort: AbortController } | undefined;

  /** @param name of the source, in messages. */
  constructor(name: string, time: ClientTime) {
    this.#name = name;
    this.#time = time;
  }

  /** Take a step, which may make several calls, when those before are done. */
  oneByOne<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step);
    this.#queue = result.catch(() => {}); // whoever waits for the result is told
    return result;
  }

  /** When every step that was begun is done. Never rejects. */
  get done(): Promise<unknown> {
    return this.#queue;
  }

  /** Call, and again if the call was frozen. @throws KeeperError, or what the call throws. */
  async make<T>(call: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> {
    for (;;) {
      const at = momentOf(this.#time);
      const abort = new AbortController();
      this.#call = { at, abort };
      try {
        const late = new KeeperError(
          "unavailable",
          `${this.#name} has not answered within ${toSeconds(LONGEST_CALL)} s: it is asked again`,
        );
        const options = { limit: LONGEST_CALL, late, abort, time: this.#time };
        return { answer: await callWithin(call, options), at };
      } catch (error) {
        if (error !== FROZEN) throw error;
      } finally {
        this.#call = undefined;
      }
    }
  }

  /** A call that was frozen with the process never ends: its connection is gone. Make it anew. */
  endFrozen(): void {
    if (this.#call === undefined) return;
    const { at, abort } = this.#call;
    if (elapsedSince(this.#time, at) > LONGEST_CALL) abort.abort(FROZEN);
  }

  /** End the call that is made just now. */
  abort(reason: unknown): void {
    this.#call?.abort.abort(reason);
  }
}
