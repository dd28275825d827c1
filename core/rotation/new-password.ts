import { ConfigError } from "../errors.ts";
import type { RandomBytes } from "../ports.ts";
import { Secret } from "../secret.ts";
import type { PasswordPolicy } from "./settings.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const CLASSES = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/];

/** Fewer bits could be guessed from a verifier that leaks. */
const LEAST_BITS = 128;

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
 * @throws ConfigError for a policy with less than 128 bits.
 */
export function newPassword(policy: PasswordPolicy, random: RandomBytes): Secret {
  const alphabet = alphabetOf(policy);
  if (bitsOf(policy) < LEAST_BITS)
    throw new ConfigError(
      `a password of ${policy.length} out of ${alphabet.length} characters has ${Math.floor(bitsOf(policy))} bits, fewer than ${LEAST_BITS}; make it longer, or exclude fewer characters`,
    );
  const kinds = CLASSES.filter((kind) => alphabet.some((each) => kind.test(each)));
  for (;;) {
    const password = drawn(policy.length, alphabet, random);
    // drawn again as a whole: mending one would make some passwords likelier
    if (kinds.every((kind) => kind.test(password))) return new Secret(password);
  }
}

/** Bytes past the last whole multiple of the alphabet are thrown away, or its head would be likelier. */
function drawn(length: number, alphabet: readonly string[], random: RandomBytes): string {
  const fair = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length)
    for (const byte of random(2 * length))
      if (byte < fair && text.length < length) text += alphabet[byte % alphabet.length];
  return text;
}
