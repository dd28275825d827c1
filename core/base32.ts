const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * The first `length` characters of `bytes` in lower-case base32 (RFC 4648 section 6, no padding).
 *
 * @throws RangeError when `bytes` holds fewer than `5 * length` bits.
 */
export function base32(bytes: Uint8Array, length: number): string {
  if (bytes.length * 8 < length * 5)
    throw new RangeError(`${bytes.length} bytes are too few for ${length} base32 characters`);
  let out = "";
  for (let i = 0; i < length; i++) {
    const bit = i * 5;
    const pair = ((bytes[bit >> 3] ?? 0) << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    out += ALPHABET[(pair >> (11 - (bit & 7))) & 31];
  }
  return out;
}
