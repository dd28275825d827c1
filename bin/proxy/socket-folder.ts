import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { Exit, Failure } from "../terminal/exit.ts";

/**
 * Make a folder of this user's alone, in `XDG_RUNTIME_DIR` or else in the folder for temporary
 * files. Its path is absolute: libpq takes another one for a host.
 *
 * @throws Failure if there is no folder to make it in.
 */
export function makeSocketFolder(runtimeFolder = process.env.XDG_RUNTIME_DIR): string {
  if (runtimeFolder !== undefined && isAbsolute(runtimeFolder))
    try {
      return mkdtempSync(join(runtimeFolder, "mayfly-"));
    } catch {
      // after `su` it is another user's; in a container there may be none
    }
  const folder = resolve(tmpdir());
  try {
    return mkdtempSync(join(folder, "mayfly-"));
  } catch (error) {
    throw new Failure(
      Exit.config,
      `cannot make a folder in ${folder.slice(-60)} (${(error as NodeJS.ErrnoException).code}); set TMPDIR to one that you may write to`,
      { cause: error },
    );
  }
}
