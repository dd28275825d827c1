import { createHash } from "node:crypto";
import { base32 } from "./base32.ts";

/** Characters of the digest in a name that was cut. */
const DIGEST_IN_NAME = 6;

/**
 * A name of at most `length` characters. A longer name is cut, and ends with a digest of the whole:
 * two long names that begin alike stay two names.
 *
 * @param length at least 8.
 */
export function fitName(name: string, length: number): string {
  if (name.length <= length) return name;
  const digest = base32(createHash("sha256").update(name).digest(), DIGEST_IN_NAME);
  return `${name.slice(0, length - DIGEST_IN_NAME - 1)}-${digest}`;
}

/** The default name of the database where role DDL runs and nobody else may connect. */
export const MAINTENANCE_DATABASE = "mayfly";

/**
 * The pattern of consumer names: 1 to 16 of `[a-z0-9-]`, a letter first, no `--`, no `-` at the
 * end.
 */
export const CONSUMER_NAME = /^(?=.{1,16}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/**
 * The pattern of dynamic role names: like consumer names, up to 14 characters, and not a word that
 * follows the tag in the names of Mayfly's own roles, because a dynamic role is one range of names.
 */
export const ROLE_NAME =
  /^(?!(?:issuer|login|group|janitor|ender)$)(?=.{1,14}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link ROLE_NAME} in words, for errors. */
export const ROLE_NAME_RULE =
  "1 to 14 of a-z, 0-9 and single hyphens, a letter first, and none of issuer, login, group, janitor, ender";

/** The names of the rotated secrets of Mayfly's own logins. */
export const ISSUER_SECRET = "issuer";
export const JANITOR_SECRET = "janitor";

/** The pattern of rotated secret names: like consumer names, except Mayfly's own. */
export const SECRET_NAME = /^(?!(?:issuer|janitor)$)(?=.{1,16}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link SECRET_NAME} in words, for errors. */
export const SECRET_NAME_RULE = `1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "${ISSUER_SECRET}" or "${JANITOR_SECRET}"`;

/** {@link CONSUMER_NAME} in words, for errors. */
export const CONSUMER_NAME_RULE = "1 to 16 of a-z, 0-9 and single hyphens, a letter first";

/** The pattern of database names: like consumer names, up to 32 characters. */
export const DATABASE_NAME = /^(?=.{1,32}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link DATABASE_NAME} in words, for errors. */
export const DATABASE_NAME_RULE = "1 to 32 of a-z, 0-9 and single hyphens, a letter first";

/** Four base32 characters that keep two stacks on one cluster apart. */
export const TAG = /^[a-z2-7]{4}$/;

/** Most shards: their number must fit into two characters. */
export const MAX_SHARDS = 1_024;

/** The tag of a stack's database, from an address that stays the same across deployments. */
export const tagOf = (address: string): string =>
  base32(createHash("sha256").update(address).digest(), 4);

/**
 * The address from which a tag is derived: the stack's name and the path of the database's
 * construct.
 */
export const addressOf = (stackName: string, path: string): string => `${stackName}/${path}`;

const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

/** The two base32 characters of a shard, counted from 0: `aa`, `ab`, … `77`. */
export const formatShard = (shard: number): string =>
  `${LETTERS[Math.floor(shard / LETTERS.length)]}${LETTERS[shard % LETTERS.length]}`;

/** The shard with these two characters. */
export const parseShard = (text: string): number =>
  LETTERS.indexOf(text.charAt(0)) * LETTERS.length + LETTERS.indexOf(text.charAt(1));

/** The NOLOGIN role that holds a dynamic role's privileges. */
export const groupRoleName = (tag: string, role: string): string => `mf_${tag}_group_${role}`;

/** The NOLOGIN CREATEROLE role of one shard. `shard` counts from 0. */
export const issuerRoleName = (tag: string, shard: number): string =>
  `mf_${tag}_issuer_${formatShard(shard)}`;

/** The NOLOGIN role that may end sessions. Issuer roles execute its two functions. */
export const enderName = (tag: string): string => `mf_${tag}_ender`;

/** One of the two rotated logins that may execute the verbs and nothing else. */
export const issuerLoginName = (tag: string, which: "a" | "b"): string =>
  `mf_${tag}_login_${which}`;

/** The login that connects to application databases. It has no CREATEROLE. */
export const janitorName = (tag: string): string => `mf_${tag}_janitor`;

/** The Lambda alias for one consumer's grant of one dynamic role. Neither name contains `--`. */
export const aliasName = (consumer: string, role: string): string => `${consumer}--${role}`;

/**
 * The environment variable that gives applications the ARN of an issuer's alias, e.g.
 * `MAYFLY_LEASE_ORDERS_READONLY`.
 *
 * @param name `<database>/<role>`
 */
export const leaseVariable = (name: string): string =>
  `MAYFLY_LEASE_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;
