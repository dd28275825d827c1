import { createHash } from "node:crypto";
import { base32 } from "./base32.ts";

/** The database where role DDL runs and nobody else may connect, where the configuration names no other. */
export const MAINTENANCE_DATABASE = "mayfly";

/** What consumer names may be: 1 to 16 of `[a-z0-9-]`, a letter first, no `--`, no `-` at the end. */
export const CONSUMER_NAME = /^(?=.{1,16}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/**
 * What dynamic role names may be: as consumers, up to 14, and none of those that follow the tag in the
 * names of Mayfly's own roles: a dynamic role is one range of names.
 */
export const ROLE_NAME =
  /^(?!(?:issuer|login|group|janitor|ender)$)(?=.{1,14}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link ROLE_NAME} in words, for errors. */
export const ROLE_NAME_RULE =
  "1 to 14 of a-z, 0-9 and single hyphens, a letter first, and none of issuer, login, group, janitor, ender";

/** The secrets of Mayfly's own logins, among those that are rotated. */
export const ISSUER_SECRET = "issuer";
export const JANITOR_SECRET = "janitor";

/** What rotated secrets may be called: as consumers, and not as Mayfly's own. */
export const SECRET_NAME = /^(?!(?:issuer|janitor)$)(?=.{1,16}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link SECRET_NAME} in words, for errors. */
export const SECRET_NAME_RULE = `1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "${ISSUER_SECRET}" or "${JANITOR_SECRET}"`;

/** {@link CONSUMER_NAME} in words, for errors. */
export const CONSUMER_NAME_RULE = "1 to 16 of a-z, 0-9 and single hyphens, a letter first";

/** What the configuration may call a database: as consumers, up to 32. */
export const DATABASE_NAME = /^(?=.{1,32}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** {@link DATABASE_NAME} in words, for errors. */
export const DATABASE_NAME_RULE = "1 to 32 of a-z, 0-9 and single hyphens, a letter first";

/** Four base32 characters that keep two stacks on one cluster apart. */
export const TAG = /^[a-z2-7]{4}$/;

/** More shards than this and their number no longer fits its two characters. */
export const MAX_SHARDS = 1_024;

/** The tag of a stack's database, from an address that stays the same across deployments. */
export const tagOf = (address: string): string =>
  base32(createHash("sha256").update(address).digest(), 4);

/** What a tag is derived from: the stack's name, and the path of the database's construct in it. */
export const addressOf = (stackName: string, path: string): string => `${stackName}/${path}`;

const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";

/** The two base32 characters of a shard, which counts from 0: `aa`, `ab`, … `77`. */
export const formatShard = (shard: number): string =>
  `${LETTERS[Math.floor(shard / LETTERS.length)]}${LETTERS[shard % LETTERS.length]}`;

/** The number of two such characters. */
export const parseShard = (text: string): number =>
  LETTERS.indexOf(text.charAt(0)) * LETTERS.length + LETTERS.indexOf(text.charAt(1));

/** The NOLOGIN role that holds a dynamic role's privileges. */
export const groupRoleName = (tag: string, role: string): string => `mf_${tag}_group_${role}`;

/** The NOLOGIN CREATEROLE role of one shard. `shard` counts from 0. */
export const issuerRoleName = (tag: string, shard: number): string =>
  `mf_${tag}_issuer_${formatShard(shard)}`;

/** The NOLOGIN role that may end sessions; issuer roles execute its two functions. */
export const enderName = (tag: string): string => `mf_${tag}_ender`;

/** One of the two rotatable logins that may execute the verbs, and nothing else. */
export const issuerLoginName = (tag: string, which: "a" | "b"): string =>
  `mf_${tag}_login_${which}`;

/** The login that enters application databases; it has no CREATEROLE. */
export const janitorName = (tag: string): string => `mf_${tag}_janitor`;

/** The Lambda alias that is one consumer's grant of one dynamic role. `--` is in neither name. */
export const aliasName = (consumer: string, role: string): string => `${consumer}--${role}`;
