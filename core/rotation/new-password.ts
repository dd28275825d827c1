import { ConfigError } from "../errors.ts";
import type { RandomBytes } from "../leases/lease-ports.ts";
import { Secret } from "../secret.ts";
import type { PasswordPolicy } from "./settings.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const CLASSES = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** With fewer bits, the password could be guessed from the hash that the server keeps. */
const LEAST_BITS = 128;

/** Each draw gives a password with a probability of at least 1/12, for any policy of 128 bits. */
const DRAWS = 1_000;

/** The characters of a policy's passwords. */
export const alphabetOf = ({ excludeCharacters }: PasswordPolicy): readonly string[] =>
  PRINTABLE.filter((each) => !excludeCharacters.includes(each));

/** How many random bits a policy's passwords have. */
export const bitsOf = (policy: PasswordPolicy): number =>
  policy.length * Math.log2(Math.max(1, alphabetOf(policy).length));

/**
 * A random password by a policy, uniform among those with a character of each remaining kind: lower
 * case, upper case, digits, others.
 *
 * @throws ConfigError for a policy with less than 128 bits; Error if the bytes are not random.
 */
export function newPassword(policy: PasswordPolicy, random: RandomBytes): Secret {
  const alphabet = alphabetOf(policy);
  if (bitsOf(policy) < LEAST_BITS)
    throw new ConfigError(
      `a password of ${policy.length} out of ${alphabet.length} characters has ${Math.floor(bitsOf(policy))} bits, fewer than ${LEAST_BITS}; make it longer, or exclude fewer characters`,
    );
  const kinds = CLASSES.filter((kind) => alphabet.some((each) => kind.test(each)));
  for (let draw = 0; draw < DRAWS; draw++) {
    const password = drawn(policy.length, alphabet, random);
    // draw again as a whole: repairing a password would make some passwords likelier
    if (password.length === policy.length && kinds.every((kind) => kind.test(password)))
      return new Secret(password);
  }
  throw new Error(`no password in ${DRAWS} draws: the source of random bytes is broken`);
}

/**
 * Map random bytes to characters. Bytes beyond the last whole multiple of the alphabet are dropped,
 * otherwise its first characters would be likelier. Sometimes too few bytes remain, and the text is
 * short.
 */
function drawn(length: number, alphabet: readonly string[], random: RandomBytes): string {
  const fair = 256 - (256 % alphabet.length);
  return [...random(2 * length)]
    .filter((byte) => byte < fair)
    .slice(0, length)
    .map((byte) => alphabet[byte % alphabet.length])
    .join("");
}
