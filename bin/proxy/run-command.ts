import { spawn } from "node:child_process";
import { isatty } from "node:tty";
import { type Signal, type Signals, statusOfSignal } from "./signals.ts";

/** A command to run with this process's streams. */
export interface CommandToRun {
  /** The file to run. */
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a terminal sends Ctrl-C and Ctrl-\ to this process. Then the command gets them too. */
  readonly onTerminal: boolean;
}

/** What a terminal sends to the command itself: passed on, it would arrive twice. */
const FROM_TERMINAL: readonly Signal[] = ["SIGINT", "SIGQUIT"];

/**
 * Run a command to its end and pass signals on to it. If this process ends before it, the command
 * is sent SIGTERM.
 *
 * @returns its exit status; 128 and the number of the signal that ended it.
 * @throws Error of the system if the file cannot be run.
 */
export function runCommand(command: CommandToRun, signals: Signals): Promise<number> {
  const { file, args, env, onTerminal } = command;
  const child = spawn(file, [...args], { env, stdio: "inherit" });
  const ended = Promise.withResolvers<number>();
  child.on("error", (error) => {
    // a command that runs as root gets no signal from us; sudo passes on the terminal's
    if (child.pid === undefined) ended.reject(error);
  });
  child.once("exit", (status, signal) =>
    ended.resolve(signal === null ? (status ?? 0) : statusOfSignal(signal)),
  );
  signals.handle = (signal) => {
    if (!onTerminal || !FROM_TERMINAL.includes(signal)) child.kill(signal);
  };
  const endChild = (): void => void child.kill("SIGTERM");
  process.once("exit", endChild);
  return ended.promise.finally(() => process.off("exit", endChild));
}

/** Whether Ctrl-C reaches this process and its command from a terminal. */
export const isOnTerminal = (): boolean => [0, 1, 2].some(isatty);
