import type { Secret } from "../../../../core/secret.ts";
import { milliseconds, minutes, seconds } from "../../../../core/time.ts";
import { BackOff, type Pace } from "../../../keeper/back-off.ts";
import type { ClientTime } from "../../../time.ts";
import type { AgentEvent } from "../../agent-events.ts";
import type { OnChange } from "../../configuration.ts";
import type { Outcome } from "./outcome.ts";
import { type CommandRun, runLimited } from "./run-limited.ts";
import { signalByFile } from "./signal-by-file.ts";

/** A file changed, and something must follow. */
export interface Change {
  readonly path: string;
  readonly onChange: OnChange;
  /** What must not be in a log: the command may print it. */
  readonly secrets: readonly Secret[];
  /** Called when the command or signal has succeeded, or never can. Never throws. */
  readonly onDone: () => Promise<void>;
}

/** Runs commands and sends signals after changes of files. */
export interface Changes extends AsyncDisposable {
  /** Resolves when the first try has ended, well or not; a failed one is told and tried again. */
  follow(change: Change): Promise<void>;
}

/** Runs the command or sends the signal, once. Never throws. */
export type RunOnChange = (
  onChange: OnChange,
  context: Omit<CommandRun, "command" | "timeout">,
) => Promise<Outcome>;

export interface ChangesOptions {
  /** Of the commands. What AWS's SDK finds credentials by is taken out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onEvent: (event: AgentEvent) => void;
  readonly time: ClientTime;
  /** @default the command in a process, the signal by its file */
  readonly run?: RunOnChange;
}

/**
 * Run what follows changes of files. Of one command there is one run at a time. Changes within half
 * a second share a run, and changes during a run share the next.
 */
export const makeChanges = (options: ChangesOptions): Changes => new RunningChanges(options);

/** Several files of one lease change together. */
const GATHERING = milliseconds(500);

/** The program has the old login meanwhile, which ends. */
const PACE: Pace = { first: seconds(5), longest: minutes(5) };

/** By these a command could ask for leases and secrets itself. */
const CREDENTIALS =
  /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|WEB_IDENTITY_TOKEN_FILE|CONTAINER_\w+)$/i;

const runOnChange: RunOnChange = (onChange, context) =>
  onChange.kind === "signal" ? signalByFile(onChange) : runLimited({ ...onChange, ...context });

class RunningChanges implements Changes {
  readonly #options: ChangesOptions;
  readonly #queues = new Map<string, ChangeQueue>();

  constructor(options: ChangesOptions) {
    const { environment } = options;
    const kept = Object.entries(environment).filter(([name]) => !CREDENTIALS.test(name));
    this.#options = { ...options, environment: Object.fromEntries(kept) };
  }

  follow(change: Change): Promise<void> {
    const key = JSON.stringify(change.onChange);
    const queue = this.#queues.get(key) ?? new ChangeQueue(change.onChange, this.#options);
    this.#queues.set(key, queue);
    return queue.add(change);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }
}

interface Waiting {
  readonly change: Change;
  readonly tried: () => void;
}

/** The changes that one command or signal follows. */
class ChangeQueue {
  readonly #onChange: OnChange;
  readonly #options: ChangesOptions;
  readonly #backOff: BackOff;
  readonly #stop = new AbortController();
  #waiting: Waiting[] = [];
  /** Aborts a wait before the next try: a new change wants its own. */
  #resting = new AbortController();
  #work: Promise<void> | undefined;

  constructor(onChange: OnChange, options: ChangesOptions) {
    this.#onChange = onChange;
    this.#options = options;
    this.#backOff = new BackOff(options.time, () => 1);
  }

  async add(change: Change): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ change, tried: resolve });
    this.#resting.abort();
    this.#work ??= this.#runAll();
    await promise;
  }

  /** What was not run is run by the next agent: the file's mark says so. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#resting.abort();
    await this.#work;
    for (const { tried } of this.#waiting.splice(0)) tried();
  }

  async #runAll(): Promise<void> {
    const { time } = this.#options;
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
      await time.wait(GATHERING, this.#stop.signal);
      if (this.#stop.signal.aborted) break;
      const batch = this.#waiting;
      this.#waiting = [];
      const outcome = await this.#try(batch);
      if (outcome.kind === "failed" && !outcome.isFinal) {
        this.#waiting.unshift(...batch);
        await this.#rest(batch.length);
      } else {
        this.#backOff.end();
        for (const { change } of batch) await change.onDone();
      }
    }
    this.#work = undefined;
  }

  async #try(batch: readonly Waiting[]): Promise<Outcome> {
    const { environment, time, onEvent, run = runOnChange } = this.#options;
    const outcome = await run(this.#onChange, {
      environment,
      secrets: batch.flatMap(({ change }) => change.secrets),
      time,
      stop: this.#stop.signal,
    });
    const [first] = batch;
    if (outcome.kind === "failed" && first !== undefined)
      onEvent({ kind: "on-change-failed", path: first.change.path, message: outcome.message });
    for (const { tried } of batch) tried();
    return outcome;
  }

  /** @param failed how many of the waiting changes were tried: what came since is not kept waiting. */
  async #rest(failed: number): Promise<void> {
    this.#backOff.begin(PACE);
    this.#resting = new AbortController();
    if (this.#waiting.length > failed || this.#stop.signal.aborted) return;
    await this.#options.time.wait(this.#backOff.left, this.#resting.signal);
  }
}
