import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../local/temp-folder.ts";
import { eventually } from "./eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const scratch = tempFolder("demo-test");
chmodSync(scratch.path, 0o755); // the database server's user looks into it

/** A demo that was started. */
export interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string }>;
}

/**
 * `npm run demo -- …args`, with a folder of the test's own for temp files. In a process group of its
 * own, to signal all of it as a terminal does.
 */
export function demo(args: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Run {
  const child = spawn(process.execPath, ["demo/main.ts", ...args], {
    cwd: ROOT,
    detached: true,
    env: { ...env, TMPDIR: scratch.path },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ status: number | null; stdout: string }>((resolve) => {
    child.once("close", (status) => resolve({ status, stdout }));
  });
  return { child, output: () => stdout + stderr, ended };
}

/** Whether its temp folders are gone. */
export const nothingLeft = (): Promise<unknown> =>
  eventually(() => readdirSync(scratch.path).length === 0);
