import { readFile } from "node:fs/promises";
import type { OnChange } from "../../configuration.ts";
import { FileError } from "../file-error.ts";
import type { Outcome } from "./outcome.ts";

type Signal = Extract<OnChange, { readonly kind: "signal" }>;

/**
 * Send a signal to the process whose id is in a file. If there is no such file or process, nothing
 * is tried again: a program that starts later reads the new file.
 */
export async function signalByFile({ signal, pidFile }: Signal): Promise<Outcome> {
  let text: string;
  try {
    text = await readFile(pidFile, "utf8");
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

/** The end of a path says more than its start. */
const shown = (path: string): string => path.slice(-60);

const failed = (message: string, code?: string): Outcome => ({
  kind: "failed",
  message: new FileError(message).message,
  isFinal: code === "ENOENT" || code === "ESRCH",
});
