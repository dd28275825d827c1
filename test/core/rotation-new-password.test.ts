import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../core/errors.ts";
import type { RandomBytes } from "../../core/leases/lease-ports.ts";
import { alphabetOf, bitsOf, newPassword } from "../../core/rotation/new-password.ts";
import { DEFAULT_PASSWORD_POLICY, type PasswordPolicy } from "../../core/rotation/settings.ts";

const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const OTHERS = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

const policy = (length: number, excludeCharacters = ""): PasswordPolicy => ({
  length,
  excludeCharacters,
});
const made = (of: PasswordPolicy, random: RandomBytes = randomBytes): string =>
  newPassword(of, random).reveal();
const kindsIn = (text: string): number =>
  [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(text)).length;

describe("a new password", () => {
  test("is by default 32 letters, digits, hyphens and underscores", () => {
    expect(alphabetOf(DEFAULT_PASSWORD_POLICY).join("")).toBe(`-0123456789${UPPER}_${LOWER}`);
    expect(made(DEFAULT_PASSWORD_POLICY)).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(bitsOf(DEFAULT_PASSWORD_POLICY)).toBe(192);
  });

  test("without exclusions is any printable ASCII, and nothing else", () => {
    expect(alphabetOf(policy(32)).join("")).toMatch(/^[ -~]{95}$/);
  });

  test.each([
    ["all four", "", 4],
    ["no others", OTHERS, 3],
    ["no upper case and no others", UPPER + OTHERS, 2],
    ["digits alone", LOWER + UPPER + OTHERS, 1],
    ["one digit and one lower case letter among others", `012345678${LOWER.slice(1)}`, 4],
  ])("has one of each kind that is left: %s", (_, excluded, kinds) => {
    for (let i = 0; i < 50; i++) expect(kindsIn(made(policy(40, excluded)))).toBe(kinds);
  });

  const excluded = fc.string({ unit: fc.constantFrom(...alphabetOf(policy(0))), maxLength: 120 });
  const anyPolicy = fc
    .tuple(fc.integer({ min: 0, max: 128 }), excluded)
    .map(([length, excludeCharacters]) => policy(length, excludeCharacters));

  test("by any policy of enough bits is as long as it says, and of its characters", () => {
    fc.assert(
      fc.property(anyPolicy, (given) => {
        fc.pre(bitsOf(given) >= 128);
        const password = made(given);
        expect(password).toHaveLength(given.length);
        expect(password.split("").filter((each) => !alphabetOf(given).includes(each))).toEqual([]);
        expect(kindsIn(password)).toBe(kindsIn(alphabetOf(given).join("")));
      }),
    );
  });

  test("by any policy of fewer is refused", () => {
    fc.assert(
      fc.property(anyPolicy, (given) => {
        fc.pre(bitsOf(given) < 128);
        expect(() => made(given)).toThrow(ConfigError);
      }),
    );
  });

  test.each([
    [policy(19), "of 19 out of 95 characters has 124 bits, fewer than 128; make it longer"],
    [policy(20, OTHERS + UPPER + LOWER), "of 20 out of 10 characters has 66 bits"],
    [policy(128, `1234567890${LOWER}${UPPER}${OTHERS}`), "of 128 out of 0 characters has 0 bits"],
    [policy(128, `123456789${LOWER}${UPPER}${OTHERS}`), "of 128 out of 1 characters has 0 bits"],
    [policy(0), "of 0 out of 95 characters has 0 bits"],
  ])("of fewer than 128 bits is refused (%j)", (given, text) => {
    expect(() => made(given)).toThrow(ConfigError);
    expect(() => made(given)).toThrow(text);
  });

  test("of exactly 128 bits is made", () => {
    // 16 characters are 4 bits each
    const sixteen = `${OTHERS}${UPPER}${LOWER.slice(6)}`;
    expect(bitsOf(policy(32, sixteen))).toBe(128);
    expect(made(policy(32, sixteen))).toMatch(/^[0-9a-f]{32}$/);
  });

  // 62 characters leave 8 of 256 bytes over: taken modulo 62, the first 8 would be a quarter likelier
  test.each([
    ["62 characters", OTHERS],
    ["95 characters", ""],
  ])("has every character equally often: %s", (_, excluded) => {
    const alphabet = alphabetOf(policy(0, excluded));
    const counts = new Map(alphabet.map((each) => [each, 0]));
    const [length, passwords] = [128, 800];
    for (let i = 0; i < passwords; i++)
      for (const each of made(policy(length, excluded)))
        counts.set(each, (counts.get(each) ?? 0) + 1);
    const expected = (length * passwords) / alphabet.length;
    const chiSquare = [...counts.values()]
      .map((count) => (count - expected) ** 2 / expected)
      .reduce((sum, each) => sum + each, 0);
    // mean and variance of chi-square: six deviations are met once in many millions of runs
    const freedom = alphabet.length - 1;
    expect(chiSquare).toBeLessThan(freedom + 6 * Math.sqrt(2 * freedom));
  });

  test("throws away the bytes that would favour some characters, and a draw with too many", () => {
    // 62 characters leave over 248 to 255
    const fair = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) % 248);
    const draws: RandomBytes[] = [
      (length) => fair(length).fill(248),
      (length) => fair(length).fill(255, 20),
      (length) => Uint8Array.from([248, 255, ...fair(length - 2)]),
    ];
    const password = made(policy(32, OTHERS), (length) => draws.shift()?.(length) ?? fair(0));
    const alphabet = alphabetOf(policy(0, OTHERS));
    expect(password).toBe([...fair(32)].map((byte) => alphabet[byte % 62]).join(""));
  });

  test.each([0, 7, 255])("of bytes that are all %i is an error, and no weak password", (byte) => {
    const constant = (length: number): Uint8Array => new Uint8Array(length).fill(byte);
    expect(() => made(DEFAULT_PASSWORD_POLICY, constant)).toThrow(
      "no password in 1000 draws: the source of random bytes is broken",
    );
  });

  test("of no bytes at all is an error", () => {
    expect(() => made(DEFAULT_PASSWORD_POLICY, () => new Uint8Array())).toThrow(/is broken/);
  });
});
