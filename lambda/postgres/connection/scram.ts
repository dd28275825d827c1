import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import type { Secret } from "../../../core/secret.ts";

const derive = promisify(pbkdf2);

/** RFC 7677 section 4 requires at least this many iterations. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/**
 * The pattern of {@link scramVerifier}'s result: PostgreSQL would hash a malformed verifier as a
 * password.
 */
export const SCRAM_VERIFIER =
  /^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/;

/**
 * The SCRAM-SHA-256 verifier of a password, as PostgreSQL stores it in `pg_authid.rolpassword`
 * (RFC 5802 section 3, RFC 7677), so that the password itself never reaches the server.
 *
 * The password must be ASCII: SASLprep (RFC 4013) is then the identity. Only tests pass `salt`.
 */
export async function scramVerifier(
  password: Secret,
  salt: Buffer = randomBytes(SALT_BYTES),
): Promise<string> {
  const salted = await derive(password.reveal(), salt, ITERATIONS, KEY_BYTES, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(hmac("Client Key")).digest("base64");
  const serverKey = hmac("Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
