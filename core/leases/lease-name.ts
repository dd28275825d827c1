import { createHash } from "node:crypto";
import { base32 } from "../base32.ts";
import { formatShard, parseShard } from "../names.ts";

/**
 * A lease's name: `mf_<tag>_<role>_<consumer>_<digest><shard><random>`, at most 62 bytes. A dynamic
 * role, a consumer within it and an idempotency key are one range of names each, whatever the number
 * of shards; and it alone says who made the lease and whose it is, so nothing has to be looked up to
 * revoke it.
 */
export interface LeaseName {
  readonly tag: string;
  readonly role: string;
  readonly consumer: string;
  /** Eight characters: of the idempotency key, or {@link NO_KEY}. */
  readonly digest: string;
  /** 0 to 1,023. */
  readonly shard: number;
  /** Twelve base32 characters, 60 random bits, never used twice. */
  readonly random: string;
}

/** The digest of a lease without an idempotency key: `0` is in no base32 digest. */
export const NO_KEY = "00000000";

export const RANDOM_LENGTH = 12;

const PATTERN =
  /^mf_([a-z2-7]{4})_([a-z][a-z0-9-]{0,13})_([a-z][a-z0-9-]{0,15})_([a-z2-7]{8}|0{8})([a-z2-7]{2})([a-z2-7]{12})$/;

export const formatLeaseName = ({
  tag,
  role,
  consumer,
  digest,
  shard,
  random,
}: LeaseName): string => `mf_${tag}_${role}_${consumer}_${digest}${formatShard(shard)}${random}`;

/** The parts of a lease's name, or `undefined` when `username` is no such name. */
export function parseLeaseName(username: string): LeaseName | undefined {
  const [, tag, role, consumer, digest, shard, random] = PATTERN.exec(username) ?? [];
  if (!tag || !role || !consumer || !digest || !shard || !random) return undefined;
  return { tag, role, consumer, digest, shard: parseShard(shard), random };
}

/** Eight base32 characters that stand for one idempotency key of one consumer's dynamic role. */
export const keyDigest = (consumer: string, role: string, key: string): string =>
  base32(createHash("sha256").update(`${consumer}\0${role}\0${key}`).digest(), 8);
