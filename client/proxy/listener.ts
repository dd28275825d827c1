import { chmodSync, lstatSync, mkdirSync, statSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { join } from "node:path";

/** Where a proxy listens. */
export type Listen =
  /** On 127.0.0.1. 0: a free port. */
  | { readonly port: number }
  /** On a Unix socket in this folder, which only its owner may enter. */
  | {
      readonly socketFolder: string;
      /** @default - the name that libpq looks for */
      readonly socketName?: string;
    };

/** Wrong use: the message names the value and the remedy, in at most 160 characters. */
export class ListenError extends Error {
  override readonly name: string = "ListenError";
}

/** Somebody listens there. */
export class TakenError extends ListenError {
  override readonly name = "TakenError";
}

/** libpq looks for a server's socket under this name. */
export const SOCKET_NAME = ".s.PGSQL.5432";
/** `sun_path` without its NUL. Linux has four more. Bytes. */
export const LONGEST_PATH = 103;

/** Connections that wait to be accepted. Node's default. */
const BACKLOG = 511;

/**
 * Let a server listen.
 *
 * @returns the path of the Unix socket, undefined for a port.
 * @throws ListenError
 */
export async function listen(server: Server, to: Listen): Promise<string | undefined> {
  if ("port" in to) {
    await listening(server, to.port, () =>
      server.listen({ port: to.port, host: "127.0.0.1", backlog: BACKLOG }),
    );
    return undefined;
  }
  const path = join(to.socketFolder, to.socketName ?? SOCKET_NAME);
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw new ListenError(
      `a socket's path may have ${LONGEST_PATH} bytes, ${Buffer.byteLength(path)} are too many; choose a shorter folder`,
    );
  makeFolder(to.socketFolder);
  await removeStale(path);
  await listening(server, path, () => {
    // others must not connect between the creation and a later chmod
    const before = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG });
    } finally {
      process.umask(before);
    }
  });
  return path;
}

function listening(server: Server, where: string | number, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const Kind = error.code === "EADDRINUSE" ? TakenError : ListenError;
      reject(new Kind(problemOf(where, error), { cause: error }));
    };
    server.once("error", fail);
    server.once("listening", () => {
      server.off("error", fail);
      resolve();
    });
    start();
  });
}

function problemOf(where: string | number, { code, message }: NodeJS.ErrnoException): string {
  const what = typeof where === "number" ? `port ${where}` : shortened(where);
  if (code === "EADDRINUSE")
    return `${what} is taken; choose another, or stop the program that listens there`;
  if (code === "EACCES") return `this user may not listen on ${what}; choose a port above 1023`;
  return `cannot listen on ${what}: ${code ?? message.slice(0, 60)}; choose another`;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ListenError(
      `cannot make the folder ${shortened(folder)}: ${code}; choose one that you may write to`,
      { cause: error },
    );
  }
  const { mode, uid } = statSync(folder);
  if (process.getuid !== undefined && uid !== process.getuid())
    throw new ListenError(
      `the folder ${shortened(folder)} is not yours, but user ${uid}'s; choose one that does not exist`,
    );
  if ((mode & 0o077) !== 0)
    throw new ListenError(
      `others may enter ${shortened(folder)} (mode ${(mode & 0o777).toString(8)}); chmod it to 700, or choose one that does not exist`,
    );
  chmodSync(folder, 0o700);
}

/** Remove the socket of a proxy that was killed. @throws ListenError if one listens, or it is no socket. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new ListenError(`${shortened(path)} is no socket; remove it, or choose another folder`);
  if (await isServed(path))
    throw new TakenError(
      `another program serves ${shortened(path)}; stop it, or choose another folder`,
    );
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // anything but a refusal: somebody may be there
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED"));
  });
}

/** The end of a path, so that a sentence stays short. */
const shortened = (path: string): string => (path.length <= 60 ? path : `…${path.slice(-59)}`);
