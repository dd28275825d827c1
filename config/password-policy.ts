import * as v from "valibot";
import { DEFAULT_PASSWORD_POLICY, type PasswordPolicy } from "../core/rotation/settings.ts";
import { notWhole, says, text, whole } from "./schema/fields.ts";

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const SHORTEST = 20;
const LONGEST = 128;
/** RDS's limit for a cluster's master. */
const LONGEST_OF_CLUSTER = 41;
/** RDS's rule for a master's password. */
const NOT_FOR_MASTERS = "/@\"' ";
const LEAST_BITS = 128;

/** How new passwords are made. */
export const passwordEntries = {
  /**
   * Printable ASCII characters that no password contains.
   * @default - all but letters, digits, `-` and `_`
   */
  excludeCharacters: v.optional(
    text(
      /^[ -~]*$/,
      "is not printable ASCII",
      "write the characters one after the other; passwords hold no other",
    ),
  ),
  /**
   * Number of characters, 20 to 128; at most 41 for the administrator of a cluster.
   * @default 32
   */
  passwordLength: v.optional(whole(SHORTEST, LONGEST), DEFAULT_PASSWORD_POLICY.length),
};

/** The password policy in a configuration or in construct props. */
interface PasswordFields {
  readonly strategy: string;
  readonly passwordLength: number;
  readonly excludeCharacters?: string | undefined;
}

/** The complete policy. For a master user it also excludes the characters that RDS refuses. */
export function passwordPolicyOf(fields: PasswordFields): PasswordPolicy {
  const { strategy, passwordLength: length, excludeCharacters: given } = fields;
  if (given === undefined) return { ...DEFAULT_PASSWORD_POLICY, length };
  // Secrets Manager puts no space into a password by default
  const all = ` ${strategy === "master-user" ? NOT_FOR_MASTERS : ""}${given}`;
  return {
    length,
    excludeCharacters: PRINTABLE.filter((character) => all.includes(character)).join(""),
  };
}

/** What is wrong with the remaining characters. Undefined if nothing is wrong. */
export function faultOfAlphabet(fields: PasswordFields): string | undefined {
  const { length, excludeCharacters } = passwordPolicyOf(fields);
  const alphabet = PRINTABLE.filter((each) => !excludeCharacters.includes(each)).length;
  if (length * Math.log2(Math.max(1, alphabet)) >= LEAST_BITS) return undefined;
  return says(
    `leaves ${alphabet} characters; a password of ${length} of them has fewer than ${LEAST_BITS} random bits`,
    "exclude fewer, or raise passwordLength",
  );
}

/** What is wrong with the length for the administrator of a cluster. */
export const faultInCluster = ({ strategy, passwordLength }: PasswordFields): string | undefined =>
  strategy === "master-user" && passwordLength > LONGEST_OF_CLUSTER
    ? notWhole(SHORTEST, LONGEST_OF_CLUSTER)
    : undefined;
