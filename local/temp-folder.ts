import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is removed when the process that created it ends. */
export interface TempFolder {
  readonly path: string;
  /** Safe to repeat. */
  readonly remove: () => void;
}

/** Waits for the end of its input, which this process holds, then removes the folder, for 5 s. */
const REAPER = 'cat; for try in 1 2 3 4 5; do rm -rf "$0" && exit; sleep 1; done';

/**
 * Create a folder that is removed however this process ends: by a shell that reads a pipe from it,
 * in a separate session, so that Ctrl-C and SIGKILL of this process do not stop it.
 */
export function tempFolder(name: string, parent: string = tmpdir()): TempFolder {
  const path = mkdtempSync(join(parent, `mayfly-${name}-`));
  const reaper = spawn("/bin/sh", ["-c", REAPER, path], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  reaper.unref();
  reaper.stdin.on("error", () => {}); // if somebody killed the shell, remove() still removes the folder
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      reaper.stdin.end();
    },
  };
}
