import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Secret } from "../../../../core/secret.ts";
import { type Duration, milliseconds, seconds } from "../../../../core/time.ts";
import type { ClientTime } from "../../../time.ts";
import { FileError } from "../file-error.ts";
import { withoutSecrets } from "../secret-forms.ts";
import type { Outcome } from "./outcome.ts";

export interface CommandRun {
  /** The file to run, and its arguments. There is no shell. */
  readonly command: readonly string[];
  readonly timeout: Duration;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Taken out of what the command printed. */
  readonly secrets: readonly Secret[];
  readonly time: ClientTime;
  /** The agent ends: a command has five more seconds. */
  readonly stop: AbortSignal;
}

/** Between SIGTERM and SIGKILL, and for a command when the agent ends. */
const GRACE = seconds(5);
/** What was printed arrives a moment after the end, unless others hold the pipe open. */
const LAST_WORDS = milliseconds(200);
/** Of the output, no more is kept. Bytes. */
const KEPT = 4_096;

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Run a command to its end, or end it when its time is up, with the processes that it began. */
export async function runLimited(run: CommandRun): Promise<Outcome> {
  const [file = "", ...args] = run.command;
  const name = JSON.stringify(run.command.join(" ").slice(0, 50));
  let child: Child;
  try {
    child = spawn(file, args, {
      env: run.environment,
      // a group of its own, which is ended as a whole
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    return failed(`command ${name} cannot be run: ${(error as Error).message}`);
  }
  const outputs = [keepEnd(child.stderr), keepEnd(child.stdout)];
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ended = new Promise<string | undefined>((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      resolve(`cannot be run (${error.code}); check its path and mode`),
    );
    child.once("exit", (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
    });
  });
  const cut = await endWhenLate(child, ended, run);
  const words = await ended;
  await within(LAST_WORDS, closed, run.time);
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  if (cut !== undefined) return failed(`command ${name} ${cut}`);
  if (words === undefined) return { kind: "done" };
  const last = outputs.map((output) => lastLine(output())).find((line) => line !== "") ?? "";
  const said = last === "" ? "" : `: ${withoutSecrets(last, run.secrets)}`;
  return failed(`command ${name} ${words}${said}`);
}

/** @returns why it was ended, if it was. */
async function endWhenLate(
  child: Child,
  ended: Promise<unknown>,
  { timeout, time, stop }: CommandRun,
): Promise<string | undefined> {
  const [over, stopped] = [new AbortController(), new AbortController()];
  const onStop = (): void =>
    void time.wait(GRACE, over.signal).then(() => {
      stopped.abort();
    });
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();
  const isOver = await within(timeout, ended, time, stopped.signal);
  stop.removeEventListener("abort", onStop);
  over.abort();
  if (isOver) return undefined;
  signalGroup(child, "SIGTERM");
  await within(GRACE, ended, time);
  // also what the command left behind
  signalGroup(child, "SIGKILL");
  return stopped.signal.aborted
    ? "was ended with the agent"
    : `did not end within ${timeout / 1_000} s, and was ended`;
}

function signalGroup({ pid }: Child, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // there is nobody left in it
  }
}

/** Whether something ends before a length of time is over, or `signal` aborts. */
async function within(
  length: Duration,
  ending: Promise<unknown>,
  time: ClientTime,
  signal?: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const signals = signal === undefined ? [over.signal] : [over.signal, signal];
  const answer = await Promise.race([
    ending.then(() => true),
    time.wait(length, AbortSignal.any(signals)).then(() => false),
  ]);
  over.abort();
  return answer;
}

/** Read a stream and keep its end. @returns the end so far; its first line may be cut off. */
function keepEnd(stream: Readable): () => string {
  let end = Buffer.alloc(0);
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => {
    end = Buffer.concat([end, chunk]).subarray(-KEPT);
  });
  // of a line that is cut off, a part of a secret could be left
  return () => {
    const text = end.toString("utf8");
    return end.length < KEPT ? text : text.slice(text.indexOf("\n") + 1 || text.length);
  };
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1)?.trim() ?? "";

const failed = (message: string): Outcome => ({
  kind: "failed",
  message: new FileError(message).message,
  isFinal: false,
});
