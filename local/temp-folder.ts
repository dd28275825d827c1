import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that does not outlive the process that made it. */
export interface TempFolder {
  readonly path: string;
  /** Safe to repeat. */
  readonly remove: () => void;
}

/** Waits for the end of its input, which is ours, and then removes the folder: tries for 5 s. */
const REAPER = 'cat; for try in 1 2 3 4 5; do rm -rf "$0" && exit; sleep 1; done';

/**
 * Make a folder that is removed however this process ends: by a shell that hangs on a pipe to us,
 * in a session of its own, so that neither Ctrl-C nor SIGKILL of ours keeps it from its work.
 */
export function tempFolder(name: string, parent: string = tmpdir()): TempFolder {
  const path = mkdtempSync(join(parent, `mayfly-${name}-`));
  const reaper = spawn("/bin/sh", ["-c", REAPER, path], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  reaper.unref();
  reaper.stdin.on("error", () => {}); // it was killed by somebody: remove() still removes
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      reaper.stdin.end();
    },
  };
}
