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

/** A command that runs. */
export interface RunningCommand {
  /** Its exit status; 128 and the number of the signal that ended it. Rejects if it cannot be run. */
  readonly ended: Promise<number>;
  kill(signal: NodeJS.Signals): void;
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
  const running = startCommand(command);
  signals.handle = (signal) => passOn(signal, running, command);
  return running.ended;
}

/** Pass a signal on to a command, unless it got that itself. */
export function passOn(
  signal: Signal,
  running: RunningCommand,
  { onTerminal }: Pick<CommandToRun, "onTerminal">,
): void {
  if (!onTerminal || !FROM_TERMINAL.includes(signal)) running.kill(signal);
}

/** Start a command. If this process ends before it, the command is sent SIGTERM. */
export function startCommand({ file, args, env }: CommandToRun): RunningCommand {
  const child = spawn(file, [...args], { env, stdio: "inherit" });
  const ended = Promise.withResolvers<number>();
  child.on("error", (error) => {
    // a command that runs as root gets no signal from us; sudo passes on the terminal's
    if (child.pid === undefined) ended.reject(error);
  });
  child.once("exit", (status, signal) =>
    ended.resolve(signal === null ? (status ?? 0) : statusOfSignal(signal)),
  );
  const endChild = (): void => void child.kill("SIGTERM");
  process.once("exit", endChild);
  return {
    ended: ended.promise.finally(() => process.off("exit", endChild)),
    kill: (signal) => void child.kill(signal),
  };
}

/** Whether Ctrl-C reaches this process and its command from a terminal. */
export const isOnTerminal = (): boolean => [0, 1, 2].some(isatty);
