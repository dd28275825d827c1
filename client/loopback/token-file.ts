import { createHash, timingSafeEqual } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { Secret } from "../../core/secret.ts";
import { ListenError } from "../proxy/listener.ts";

const TOKEN_BYTES = 24;

/**
 * The token in a file that only its owner may read. The file is made if there is none.
 *
 * @returns at least 24 characters, without spaces around them. One that is made has 32 of base64url.
 * @throws ListenError if others may read or have made the file, or it cannot be written or read.
 */
export function readOrMakeToken(path: string, random: (bytes: number) => Buffer): Secret {
  make(path, `${random(TOKEN_BYTES).toString("base64url")}\n`);
  const token = read(path).trim();
  if (token.length < TOKEN_BYTES)
    throw unusable(
      path,
      `has fewer than ${TOKEN_BYTES} characters; write a longer one, or remove it`,
    );
  return new Secret(token);
}

function make(path: string, text: string): void {
  let isOurs = false;
  try {
    const file = openSync(path, "wx", 0o600);
    isOurs = true;
    try {
      writeFileSync(file, text);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // half a token would be there for ever, also when the disk has room again
    if (isOurs) rmSync(path, { force: true });
    if (code !== "EEXIST") throw unusable(path, `cannot be written: ${code}`, error);
  }
}

function read(path: string): string {
  let file: number;
  try {
    // a pipe would keep us waiting
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw unusable(path, `cannot be read: ${code}`, error);
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw unusable(path, "is no file; name another");
    if ((stats.mode & 0o077) !== 0) throw unusable(path, "may be read by others; chmod it to 600");
    // root may give a token to the program that needs it; a stranger may not give us one
    const isStrangers = stats.uid !== 0 && stats.uid !== process.geteuid?.();
    if (isStrangers && isOpenToAll(dirname(path)))
      throw unusable(path, `is user ${stats.uid}'s, in a folder of all; name another folder`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

const isOpenToAll = (folder: string): boolean => (statSync(folder).mode & 0o002) !== 0;

const unusable = (path: string, problem: string, cause?: unknown): ListenError =>
  new ListenError(`the token file ${path.slice(-60)} ${problem}`, { cause });

/** Whether a text is the token. Takes the same time for every text of one length. */
export function tokenCheck(token: Secret): (given: string | undefined) => boolean {
  const expected = digestOf(token.reveal());
  return (given) => timingSafeEqual(digestOf(given ?? ""), expected);
}

/** Digests have one length, so that comparing them takes one time. */
const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();
