import type { ClientTime } from "../../client/time.ts";
import { type Duration, milliseconds, seconds } from "../../core/time.ts";
import { type CommandToRun, passOn, type RunningCommand, startCommand } from "./run-command.ts";
import type { Signal, Signals } from "./signals.ts";

/** Files of one lease change together. */
const GATHERING = milliseconds(500);
/** Between SIGTERM and SIGKILL: as long as Kubernetes waits. */
const GRACE = seconds(30);

/** After these the command is not to be started again. */
const ENDING: readonly Signal[] = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"];

/** Runs a command, and again when it is asked to. */
export class RepeatedCommand {
  readonly #time: ClientTime;
  #asked = Promise.withResolvers<"asked">();

  constructor(time: ClientTime) {
    this.#time = time;
  }

  /** What the command has read has changed: end it, and start it again. */
  askAgain(): void {
    this.#asked.resolve("asked");
  }

  /**
   * Run a command until it ends by itself, or by a signal to this process.
   *
   * @returns the exit status of its last run.
   * @throws Error of the system if the file cannot be run.
   */
  async run(command: CommandToRun, signals: Signals): Promise<number> {
    for (;;) {
      const ending = new AbortController();
      const running = startCommand(command);
      signals.handle = (signal) => {
        if (ENDING.includes(signal)) ending.abort();
        passOn(signal, running, command);
      };
      const first = await Promise.race([running.ended, this.#asked.promise]);
      if (first !== "asked" || (await this.#within(GATHERING, running.ended))) return running.ended;
      if (ending.signal.aborted) return running.ended;
      this.#asked = Promise.withResolvers();
      await this.#end(running);
      if (ending.signal.aborted) return running.ended;
    }
  }

  async #end(running: RunningCommand): Promise<void> {
    running.kill("SIGTERM");
    if (!(await this.#within(GRACE, running.ended))) running.kill("SIGKILL");
    await running.ended;
  }

  /** Whether a command ends before a length of time is over. */
  async #within(length: Duration, ended: Promise<unknown>): Promise<boolean> {
    const over = new AbortController();
    const answer = await Promise.race([
      ended.then(() => true),
      this.#time.wait(length, over.signal).then(() => false),
    ]);
    over.abort();
    return answer;
  }
}
