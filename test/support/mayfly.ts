import { spawn } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { vi } from "vitest";
import { main } from "../../bin/commands/main.ts";
import type { Runner } from "../../local/runner.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "bin", "mayfly.ts");

/** What a run of the program left behind. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
  readonly milliseconds: number;
}

/** Run `mayfly` as a shell would, with nothing of this environment but where things are. */
export async function mayflyProcess(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  const start = performance.now();
  const child = spawnMayfly(args, env);
  const text = collect(child);
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { status, ...text, milliseconds: performance.now() - start };
}

function spawnMayfly(args: readonly string[], env: Record<string, string>) {
  const { PATH = "", TMPDIR = "/tmp", NODE_COMPILE_CACHE = "" } = process.env;
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH, TMPDIR, NODE_COMPILE_CACHE, AWS_EC2_METADATA_DISABLED: "true", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function collect(child: ReturnType<typeof spawnMayfly>): { out: string; err: string } {
  const text = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    text.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    text.err += chunk;
  });
  return text;
}

/** A run of the program that has not ended. */
export interface Running {
  /** What it has written so far. */
  readonly text: { readonly out: string; readonly err: string };
  /** Wait until stdout has a line, and answer it. */
  firstLine(): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Read nothing any more: what it writes now fails. */
  closeWindow(): void;
  /** Its exit status; null if a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Start `mayfly` as {@link mayflyProcess} does, to signal it or to use what it opens. */
export function startMayfly(args: readonly string[], env: Record<string, string>): Running {
  const child = spawnMayfly(args, env);
  const text = collect(child);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    text,
    firstLine: async () => {
      while (!text.out.includes("\n"))
        await Promise.race([
          new Promise((resolve) => child.stdout.once("data", resolve)),
          ended.then(() => Promise.reject(new Error(`it ended: ${text.err}`))),
        ]);
      return text.out.split("\n", 1)[0] ?? "";
    },
    signal: (signal) => void child.kill(signal),
    closeWindow: () => {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    ended,
  };
}

/** Run in this process, into pipes: a process of its own takes a second to load. */
export async function mayfly(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const start = performance.now();
  const ran = await mayflyHere(args, env);
  return { ...ran, milliseconds: performance.now() - start };
}

/** Run in this process, on a terminal where `typed` is typed, if there is one. */
export async function mayflyHere(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  terminal?: { readonly typed: string },
): Promise<Omit<Ran, "milliseconds">> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const isTTY = terminal !== undefined;
  const text = { out: "", err: "" };
  const into = (stream: "out" | "err") => ({
    isTTY,
    write: (chunk: string) => {
      text[stream] += chunk;
    },
  });
  const input = Object.assign(new PassThrough(), { isTTY });
  input.end(terminal?.typed ?? "");
  try {
    const status = await main(args, { in: input, out: into("out"), err: into("err") });
    return { status, ...text };
  } finally {
    vi.unstubAllEnvs();
  }
}

/** The lines that `npm run local` prints, for one principal's shell. */
export function shellOf(runner: Runner, principal: string): Record<string, string> {
  const { accessKeyId, secretAccessKey, sessionToken } = runner.credentialsFor(principal);
  return {
    AWS_ENDPOINT_URL: runner.endpoint,
    AWS_REGION: runner.region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  };
}
