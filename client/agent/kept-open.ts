import { seconds } from "../../core/time.ts";
import { BackOff, type Pace } from "../keeper/back-off.ts";
import type { ClientTime } from "../time.ts";

/** Another program must end, or somebody must correct a file. */
const PACE: Pace = { first: seconds(1), longest: seconds(30) };

export interface KeptOpenOptions<T> {
  readonly open: () => Promise<T>;
  readonly onOpen: (opened: T) => void;
  /** Called for each try that fails. */
  readonly onFailed: (message: string) => void;
  readonly time: ClientTime;
  readonly random: () => number;
}

/** A port that is opened as soon as it can be: until then it is tried again. */
export class KeptOpen<T extends AsyncDisposable> implements AsyncDisposable {
  readonly #options: KeptOpenOptions<T>;
  readonly #stop = new AbortController();
  readonly #opening: Promise<void>;
  #opened: T | undefined;

  constructor(options: KeptOpenOptions<T>) {
    this.#options = options;
    this.#opening = this.#open();
  }

  /** Undefined while it cannot be opened. */
  get opened(): T | undefined {
    return this.#opened;
  }

  /** Stop trying. @returns what is open, for the caller to close */
  async stop(): Promise<T | undefined> {
    this.#stop.abort("stopped");
    await this.#opening;
    return this.#opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opened = await this.stop();
    await opened?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<void> {
    const { open, onOpen, onFailed, time, random } = this.#options;
    const backOff = new BackOff(time, random);
    while (!this.#stop.signal.aborted) {
      try {
        this.#opened = await open();
        onOpen(this.#opened);
        return;
      } catch (error) {
        onFailed(error instanceof Error ? error.message : String(error));
        backOff.begin(PACE);
        await time.wait(backOff.left, this.#stop.signal);
      }
    }
  }
}
