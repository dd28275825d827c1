import { ConfigError } from "../errors.ts";
import type { RandomBytes } from "../leases/lease-ports.ts";
import { Secret } from "../secret.ts";
import type { PasswordPolicy } from "./settings.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const CLASSES = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** Fewer bits could be guessed from what the server keeps of it. */
const LEAST_BITS = 128;

/** Each gives a password with a chance of one in twelve or more, by any policy of 128 bits. */
const DRAWS = 1_000;

/** The characters of which a policy's passwords are made. */
export const alphabetOf = ({ excludeCharacters }: PasswordPolicy): readonly string[] =>
  PRINTABLE.filter((each) => !excludeCharacters.includes(each));

/** How many random bits a policy's passwords have. */
export const bitsOf = (policy: PasswordPolicy): number =>
  policy.length * Math.log2(Math.max(1, alphabetOf(policy).length));

/**
 * A password by a policy, uniform among those that have a character of each kind that is left: lower
 * case, upper case, digits, others.
 *
 * @throws ConfigError for a policy with less than 128 bits; Error, and not a weak password, when
 *   the bytes are not random.
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
    // drawn again as a whole: mending one would make some passwords likelier
    if (password.length === policy.length && kinds.every((kind) => kind.test(password)))
      return new Secret(password);
  }
  throw new Error(`no password in ${DRAWS} draws: the source of random bytes is broken`);
}

/**
 * Bytes past the last whole multiple of the alphabet are thrown away, or its head would be likelier;
 * now and then too few are left, and the text is short.
 */
function drawn(length: number, alphabet: readonly string[], random: RandomBytes): string {
  const fair = 256 - (256 % alphabet.length);
  return [...random(2 * length)]
    .filter((byte) => byte < fair)
    .slice(0, length)
    .map((byte) => alphabet[byte % alphabet.length])
    .join("");
}
