import { closeSync, existsSync, openSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Exit, Failure } from "../terminal/exit.ts";

/**
 * Make sure that files are this program's own, because it removes them at its end: what somebody
 * else put there is not to be lost. An empty mark beside each tells that to who comes after a
 * program that was killed.
 *
 * @returns what takes the marks away: after the files.
 * @throws Failure if a file is there that has no mark.
 */
export function ownFiles(paths: readonly string[]): Disposable {
  for (const path of paths)
    if (!existsSync(markOf(path)) && statSync(path, { throwIfNoEntry: false }) !== undefined)
      throw new Failure(
        Exit.config,
        `${path.slice(-60)} is there already, and exec removes its files at the end; give a path where nothing is`,
      );
  for (const path of paths) mark(path);
  return {
    [Symbol.dispose]: () => {
      for (const path of paths) rmSync(markOf(path), { force: true });
    },
  };
}

function mark(path: string): void {
  try {
    closeSync(openSync(markOf(path), "a", 0o600));
  } catch {
    // writing the file fails too, and says why
  }
}

const markOf = (path: string): string => join(dirname(path), `.${basename(path)}.mayfly-own`);
