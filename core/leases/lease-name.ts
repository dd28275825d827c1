import { createHash } from "node:crypto";
import { base32 } from "../base32.ts";
import { formatShard, parseShard } from "../names.ts";

/**
 * A lease's name: `mf_<tag>_<role>_<consumer>_<digest><shard><random>`, at most 62 bytes. The
 * leases of a dynamic role, of a consumer and of an idempotency key each form one range of names,
 * for any number of shards. The name alone says who created the lease and whose it is, so a
 * revocation looks nothing up.
 */
export interface LeaseName {
  readonly tag: string;
  readonly role: string;
  readonly consumer: string;
  /** Eight characters: the digest of the idempotency key, or {@link NO_KEY}. */
  readonly digest: string;
  /** 0 to 1,023. */
  readonly shard: number;
  /** Twelve base32 characters, 60 random bits, never used twice. */
  readonly random: string;
}

/** The digest of a lease without an idempotency key: base32 has no `0`. */
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

/** The parts of a lease's name. Undefined if `username` is not one. */
export function parseLeaseName(username: string): LeaseName | undefined {
  const [, tag, role, consumer, digest, shard, random] = PATTERN.exec(username) ?? [];
  if (!tag || !role || !consumer || !digest || !shard || !random) return undefined;
  return { tag, role, consumer, digest, shard: parseShard(shard), random };
}

/** Eight base32 characters that stand for one idempotency key of one consumer's dynamic role. */
export const keyDigest = (consumer: string, role: string, key: string): string =>
  base32(createHash("sha256").update(`${consumer}\0${role}\0${key}`).digest(), 8);
