import { DEFAULT_PASSWORD_POLICY, type PasswordPolicy } from "../core/rotation/settings.ts";
import { complain, type Place, readText, readWhole, within } from "./place.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const SHORTEST = 20;
const LONGEST = 128;
/** RDS's limit for a cluster's master. */
const LONGEST_OF_CLUSTER = 41;
/** RDS's rule for a master's password. */
const NOT_FOR_MASTERS = "/@\"' ";
const LEAST_BITS = 128;

/** Whose passwords they are, as far as it bounds them. */
export interface PasswordUse {
  readonly master: boolean;
  readonly cluster: boolean;
}

/** The characters that remain. */
const alphabetOf = (excluded: string): number =>
  PRINTABLE.filter((character) => !excluded.includes(character)).length;

/** Read `passwordLength` and `excludeCharacters`. */
export function readPasswordPolicy(place: Place, { master, cluster }: PasswordUse): PasswordPolicy {
  const longest = master && cluster ? LONGEST_OF_CLUSTER : LONGEST;
  const fallback = DEFAULT_PASSWORD_POLICY.length;
  const length = readWhole(within(place, "passwordLength"), SHORTEST, longest, fallback);
  const excludedAt = within(place, "excludeCharacters");
  if (excludedAt.value === undefined) return { ...DEFAULT_PASSWORD_POLICY, length };
  const given = readText(
    excludedAt,
    (text) => /^[ -~]*$/.test(text),
    "is not printable ASCII",
    "write the characters one after the other; passwords hold no other",
  );
  if (given === undefined) return { ...DEFAULT_PASSWORD_POLICY, length };
  // Secrets Manager makes no password with a space unless it is asked to
  const all = ` ${master ? NOT_FOR_MASTERS : ""}${given}`;
  const excludeCharacters = PRINTABLE.filter((character) => all.includes(character)).join("");
  const alphabet = alphabetOf(excludeCharacters);
  const bits = length * Math.log2(Math.max(1, alphabet));
  if (bits < LEAST_BITS)
    complain(
      excludedAt,
      `leaves ${alphabet} characters, of which ${length} are easier to guess than ${LEAST_BITS} random bits`,
      "exclude fewer, or raise passwordLength",
    );
  return { length, excludeCharacters };
}
