import { constants } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { OnChange } from "../../configuration.ts";
import { FileError } from "../file-error.ts";
import type { Outcome } from "./outcome.ts";

const { O_RDONLY, O_NONBLOCK } = constants;

type Signal = Extract<OnChange, { readonly kind: "signal" }>;

/**
 * Send a signal to the process whose id is in a file. If there is no such file or process, nothing
 * is tried again: a program that starts later reads the new file.
 */
export async function signalByFile({ signal, pidFile }: Signal): Promise<Outcome> {
  let text: string;
  try {
    // a pipe would keep us waiting
    text = await readFile(pidFile, { encoding: "utf8", flag: O_RDONLY | O_NONBLOCK });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return failed(`cannot read ${shown(pidFile)} (${code}), so nobody got ${signal}`, code);
  }
  const id = text.trim();
  const pid = /^\d{1,10}$/.test(id) ? Number(id) : Number.NaN;
  if (!(pid > 1) || pid === process.pid)
    return failed(
      `${shown(pidFile)} has ${JSON.stringify(id.slice(0, 20))} in it, which is no process to signal; it must be the id of one`,
    );
  const stranger = await strangerIn(pidFile, pid);
  if (stranger !== undefined)
    return failed(
      `process ${pid} of ${shown(pidFile)} got no ${signal}: it is not user ${stranger}'s, who wrote the file; correct it`,
    );
  try {
    process.kill(pid, signal);
    return { kind: "done" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === "ESRCH"
        ? "there is no such process"
        : `this user may not signal it (${code}); run both as one user`;
    return failed(`process ${pid} of ${shown(pidFile)} did not get ${signal}: ${why}`, code);
  }
}

/**
 * Root may signal every process: who may write the file is to reach own ones alone.
 *
 * @returns the file's owner, if that is neither root nor the process's owner. Undefined, too, where
 *   there is no /proc.
 */
async function strangerIn(pidFile: string, pid: number): Promise<number | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const ownerOf = (path: string): Promise<number | undefined> =>
    stat(path).then(
      ({ uid }) => uid,
      () => undefined,
    );
  const [writer, owner] = await Promise.all([ownerOf(pidFile), ownerOf(`/proc/${pid}`)]);
  return writer === 0 || writer === owner || owner === undefined ? undefined : writer;
}

/** The end of a path says more than its start. */
const shown = (path: string): string => path.slice(-60);

const failed = (message: string, code?: string): Outcome => ({
  kind: "failed",
  message: new FileError(message).message,
  isFinal: code === "ENOENT" || code === "ESRCH",
});
