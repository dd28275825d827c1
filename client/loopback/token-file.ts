import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { Secret } from "../../core/secret.ts";
import { ListenError } from "../proxy/listener.ts";

const TOKEN_BYTES = 24;

/**
 * The token in a file that only its owner may read. The file is made if there is none.
 *
 * @returns at least 24 characters, without spaces around them. One that is made has 32 of base64url.
 * @throws ListenError if others may read the file, or it cannot be written or read.
 */
export function readOrMakeToken(path: string, random: (bytes: number) => Buffer): Secret {
  try {
    writeFileSync(path, `${random(TOKEN_BYTES).toString("base64url")}\n`, {
      mode: 0o600,
      flag: "wx",
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw unusable(path, `cannot be written: ${(error as NodeJS.ErrnoException).code}`, error);
  }
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) throw unusable(path, "may be read by others; chmod it to 600");
  const token = readFileSync(path, "utf8").trim();
  if (token.length < TOKEN_BYTES) throw unusable(path, "has no token; remove it");
  return new Secret(token);
}

const unusable = (path: string, problem: string, cause?: unknown): ListenError =>
  new ListenError(`the token file ${path.slice(-60)} ${problem}`, { cause });

/** Whether a text is the token. Takes the same time for every text of one length. */
export function tokenCheck(token: Secret): (given: string | undefined) => boolean {
  const expected = digestOf(token.reveal());
  return (given) => timingSafeEqual(digestOf(given ?? ""), expected);
}

/** Digests have one length, so that comparing them takes one time. */
const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();
