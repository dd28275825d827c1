import { createHash } from "node:crypto";
import { base32 } from "../base32.ts";

/**
 * A lease's name: `mf_<tag>_<shard>_<consumer>_<role>_<digest><random>`, at most 63 bytes. It alone
 * says which issuer role made the lease and whose it is, so nothing has to be looked up to revoke it.
 */
export interface LeaseName {
  readonly tag: string;
  /** 0 to 99. */
  readonly shard: number;
  readonly consumer: string;
  readonly role: string;
  /** Eight characters: of the idempotency key, or {@link NO_KEY}. */
  readonly digest: string;
  /** Twelve base32 characters, 60 random bits, never used twice. */
  readonly random: string;
}

/** The digest of a lease without an idempotency key: `0` is in no base32 digest. */
export const NO_KEY = "00000000";

export const RANDOM_LENGTH = 12;

const PATTERN =
  /^mf_([a-z2-7]{4})_(\d{2})_([a-z][a-z0-9-]{0,15})_([a-z][a-z0-9-]{0,13})_([a-z2-7]{8}|0{8})([a-z2-7]{12})$/;

const shardOf = (shard: number): string => String(shard).padStart(2, "0");

export const formatLeaseName = (name: LeaseName): string =>
  `${namePrefix(name, name.shard)}${name.digest}${name.random}`;

/** What every lease of one consumer, dynamic role and shard begins with. */
export const namePrefix = (
  { tag, consumer, role }: Pick<LeaseName, "tag" | "consumer" | "role">,
  shard: number,
): string => `mf_${tag}_${shardOf(shard)}_${consumer}_${role}_`;

/** The parts of a lease's name, or `undefined` when `username` is no such name. */
export function parseLeaseName(username: string): LeaseName | undefined {
  const [, tag, shard, consumer, role, digest, random] = PATTERN.exec(username) ?? [];
  if (!tag || !shard || !consumer || !role || !digest || !random) return undefined;
  return { tag, shard: Number(shard), consumer, role, digest, random };
}

/** Eight base32 characters that stand for one idempotency key of one consumer's dynamic role. */
export const keyDigest = (consumer: string, role: string, key: string): string =>
  base32(createHash("sha256").update(`${consumer}\0${role}\0${key}`).digest(), 8);
