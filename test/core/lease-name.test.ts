import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidRequestError } from "../../core/errors.ts";
import { formatLeaseId, parseLeaseId, shown } from "../../core/leases/lease-id.ts";
import {
  formatLeaseName,
  keyDigest,
  type LeaseName,
  NO_KEY,
  parseLeaseName,
} from "../../core/leases/lease-name.ts";
import { CONSUMER_NAME, formatShard, MAX_SHARDS, ROLE_NAME } from "../../core/names.ts";

const text = (alphabet: string, length: { minLength: number; maxLength: number }) =>
  fc.string({ unit: fc.constantFrom(...Array.from(alphabet)), ...length });
const exactly = (alphabet: string, length: number) =>
  text(alphabet, { minLength: length, maxLength: length });

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789-";

/** Any name that a stack can make, with consumers and roles that the configuration allows. */
const names: fc.Arbitrary<LeaseName> = fc.record({
  tag: exactly(BASE32, 4),
  shard: fc.integer({ min: 0, max: MAX_SHARDS - 1 }),
  consumer: text(LOWER, { minLength: 1, maxLength: 16 }).filter((name) => CONSUMER_NAME.test(name)),
  role: text(LOWER, { minLength: 1, maxLength: 14 }).filter((name) => ROLE_NAME.test(name)),
  digest: fc.oneof(exactly(BASE32, 8), fc.constant(NO_KEY)),
  random: exactly(BASE32, 12),
});

const longest: LeaseName = {
  tag: "abcd",
  shard: MAX_SHARDS - 1,
  consumer: "a".repeat(16),
  role: "b".repeat(14),
  digest: "cccccccc",
  random: "dddddddddddd",
};

describe("a lease's name", () => {
  test("is read back as it was made, whatever it is made of", () => {
    fc.assert(
      fc.property(names, (name) => {
        expect(parseLeaseName(formatLeaseName(name))).toEqual(name);
      }),
    );
  });

  test("is at most 62 bytes, and the longest is 62: PostgreSQL cuts off what is beyond 63", () => {
    fc.assert(fc.property(names, (name) => Buffer.byteLength(formatLeaseName(name)) <= 62));
    expect(Buffer.byteLength(formatLeaseName(longest))).toBe(62);
  });

  test("says in two letters whose of up to 1,024 shards it is", () => {
    expect(formatLeaseName(longest)).toMatch(/_cccccccc77dddddddddddd$/);
    const shards = Array.from({ length: MAX_SHARDS }, (_, shard) => formatShard(shard));
    expect(new Set(shards).size).toBe(1_024);
    expect(shards.slice(0, 2)).toEqual(["aa", "ab"]);
  });

  test("lies in the range of its dynamic role, its consumer and its key, and in nobody else's", () => {
    const rangesOf = ({ tag, role, consumer, digest }: LeaseName) => [
      `mf_${tag}_${role}_`,
      `mf_${tag}_${role}_${consumer}_`,
      `mf_${tag}_${role}_${consumer}_${digest}`,
    ];
    const isIn = (name: string, range: string) => name >= range && name < `${range}~`;
    const alike = fc.record({
      role: fc.constantFrom("read", "read-only", "read2", "readonly"),
      consumer: fc.constantFrom("web", "web-2", "web2", "w"),
      digest: fc.constantFrom("aaaaaaaa", "aaaaaaab", NO_KEY),
    });
    fc.assert(
      fc.property(names, alike, alike, (name, a, b) => {
        const [one, other] = [
          { ...name, ...a },
          { ...name, ...b },
        ];
        const [ofRole = "", ofConsumer = "", ofKey = ""] = rangesOf(one);
        const text = formatLeaseName(other);
        const same = { role: a.role === b.role, key: a.digest === b.digest };
        const consumer = same.role && a.consumer === b.consumer;
        expect(isIn(text, ofRole)).toBe(same.role);
        expect(isIn(text, ofConsumer)).toBe(consumer);
        expect(isIn(text, ofKey)).toBe(consumer && same.key);
      }),
    );
  });

  test("differs for different parts", () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(formatLeaseName(a)).not.toBe(formatLeaseName(b));
      }),
    );
  });

  test("needs no quoting anywhere: it is lower case letters, digits, _ and -", () => {
    fc.assert(fc.property(names, (name) => /^[a-z0-9_-]+$/.test(formatLeaseName(name))));
  });

  const good = formatLeaseName(longest);
  test.each([
    "",
    "mf_abcd_bb",
    good.slice(0, -1),
    `${good}d`,
    ` ${good}`,
    `${good} `,
    `${good}\n`,
    `${good}\0`,
    `"${good}"`,
    `${good}'; drop role postgres; --`,
    good.toUpperCase(),
    good.replace("mf_", "MF_"),
    good.replace("77d", "7d"),
    good.replace("77d", "777d"),
    good.replace("77d", "07d"),
    good.replace("77d", "-1d"),
    good.replace("77d", "٧٧d"),
    good.replace("abcd", "abc1"),
    good.replace("cccccccc", "00000001"),
    good.replace("dddddddddddd", "dddddddddddé"),
    good.replace("aaaaaaaaaaaaaaaa", "aaaa_aaaaaaaaaaa"),
    good.replace("aaaaaaaaaaaaaaaa", ""),
    good.replace("aaaaaaaaaaaaaaaa", "-aaa"),
    "mf_abcd_group_readonly",
    "mf_abcd_issuer_aa",
    "mf_abcd_login_a",
    "mf_abcd_janitor",
    "mf_abcd_ender",
    "postgres",
    "x".repeat(1_000_000),
  ])("is not %j", (name) => {
    expect(parseLeaseName(name)).toBeUndefined();
  });

  test("is refused if one character is replaced by one that names do not have", () => {
    fc.assert(
      fc.property(
        names,
        fc.nat(62),
        fc.constantFrom(...Array.from("'\"\\;$\0\n /A.~%é")),
        (name, at, sign) => {
          const whole = formatLeaseName(name);
          const index = at % whole.length;
          expect(parseLeaseName(whole.slice(0, index) + sign + whole.slice(index + 1))).toBe(
            undefined,
          );
        },
      ),
    );
  });
});

describe("a key's digest", () => {
  test("is the same for the same consumer, role and key, and never that of no key", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (consumer, role, key) => {
        const digest = keyDigest(consumer, role, key);
        expect(digest).toBe(keyDigest(consumer, role, key));
        expect(digest).toMatch(/^[a-z2-7]{8}$/);
        expect(digest).not.toBe(NO_KEY);
      }),
    );
  });

  test("depends on each of the three, and on where one ends and the next begins", () => {
    const all = [
      keyDigest("a", "b", "c"),
      keyDigest("a", "b", "d"),
      keyDigest("a", "c", "c"),
      keyDigest("b", "b", "c"),
      keyDigest("ab", "", "c"),
      keyDigest("", "ab", "c"),
      keyDigest("a", "bc", ""),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test("is the first 40 bits of SHA-256 in base32", () => {
    const bits = createHash("sha256").update("a\0b\0c").digest().subarray(0, 5);
    const number = bits.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const digits = Array.from(number.toString(32).padStart(8, "0"));
    const inBase32 = digits.map((digit) => BASE32[Number.parseInt(digit, 32)]).join("");
    expect(keyDigest("a", "b", "c")).toBe(inBase32);
  });
});

describe("a lease id", () => {
  test("is read back as it was made", () => {
    fc.assert(
      fc.property(names, (name) => {
        const username = formatLeaseName(name);
        const id = formatLeaseId("orders", name.role, username);
        expect(parseLeaseId(id)).toEqual({ database: "orders", username, name });
      }),
    );
  });

  const USERNAME = "mf_qdoi_readonly_user-service_mzxw6ytbahabcdefghijkl";
  test.each([
    ["", ": it is empty"],
    ["orders/readonly", ""],
    [`orders/readonly/${USERNAME}/x`, ""],
    [`orders/readonly/${USERNAME}x`, ": its username is not the name of a lease"],
    [`orders/readwrite/${USERNAME}`, ": its username is of another role"],
  ])("%j is refused, with what is wrong", (id, why) => {
    expect(() => parseLeaseId(id)).toThrow(
      `leaseId ${shown(id)} is not a lease id${why}; send the leaseId of an issued credential, <database>/<role>/<username>`,
    );
  });

  test("refuses any other value, with a short printable message", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.string({ unit: "binary", maxLength: 300 })),
        (value) => {
          let failure: unknown;
          try {
            parseLeaseId(value);
          } catch (error) {
            failure = error;
          }
          expect(failure).toBeInstanceOf(InvalidRequestError);
          const { message } = failure as Error;
          expect(message.length).toBeLessThan(300);
          expect(Array.from(message).filter((sign) => sign < " ")).toEqual([]);
        },
      ),
    );
  });
});

describe("a value in an error", () => {
  test("is shown in at most about a hundred characters, whatever it is", () => {
    fc.assert(fc.property(fc.anything(), (value) => shown(value).length < 130));
    expect(shown("x".repeat(1_000_000)).length).toBeLessThan(130);
  });

  test.each([
    [undefined, "undefined"],
    [null, "null"],
    [9, "9"],
    ["1h", '"1h"'],
    ["a\nb\0", '"a\\nb\\u0000"'],
    [["secret"], "(a list)"],
    [{ password: "secret" }, "(an object)"],
  ])("of %j is shown as %s", (value, text) => {
    expect(shown(value)).toBe(text);
  });
});
