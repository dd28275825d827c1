import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import type { Secret } from "../../../core/secret.ts";
import { saslprep } from "./saslprep.ts";

const derive = promisify(pbkdf2);

export const KEY_BYTES = 32;

/** RFC 7677 section 4: no fewer. PostgreSQL's default, and that of Mayfly's users. */
export const LEAST_ITERATIONS = 4_096;

/** Half a second of one core. A server must not make us compute for minutes. */
export const MOST_ITERATIONS = 1_000_000;

/** What both sides compute from a password. RFC 5802 section 3. */
export interface ScramKeys {
  readonly clientKey: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export const sha256 = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();

export const hmacSha256 = (key: Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

export function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ (b[at] ?? 0)));
}

/** Takes a millisecond with 4,096 iterations, on a thread of Node's pool. */
export async function scramKeys(
  password: Secret,
  salt: Buffer,
  iterations: number,
): Promise<ScramKeys> {
  const salted = await derive(saslprep(password.reveal()), salt, iterations, KEY_BYTES, "sha256");
  const clientKey = hmacSha256(salted, "Client Key");
  return {
    clientKey,
    storedKey: sha256(clientKey),
    serverKey: hmacSha256(salted, "Server Key"),
  };
}
