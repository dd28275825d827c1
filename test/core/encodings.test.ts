import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { base32 } from "../../core/base32.ts";
import { fitName } from "../../core/names.ts";
import { derivedPassword, randomPassword } from "../../core/password.ts";
import { Secret } from "../../core/secret.ts";
import { SCRAM_VERIFIER, scramVerifier } from "../../lambda/postgres/connection/scram.ts";

describe("base32", () => {
  // RFC 4648 section 10, in lower case and without padding.
  test.each([
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
  ])("of %j is RFC 4648's", (text, encoded) => {
    const bytes = Buffer.from(text);
    const whole = Math.floor((bytes.length * 8) / 5);
    expect(base32(bytes, whole)).toBe(encoded.slice(0, whole));
  });

  test("is five bits a character, from the first bit on", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        const length = Math.floor((bytes.length * 8) / 5);
        const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
        const expected = (bits.match(/.{5}/g) ?? [])
          .map((five) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(five, 2)])
          .join("");
        expect(base32(bytes, length)).toBe(expected);
      }),
    );
  });

  test("of too few bytes is an error", () => {
    expect(() => base32(new Uint8Array(4), 8)).toThrow(RangeError);
    expect(base32(new Uint8Array(5), 8)).toBe("aaaaaaaa");
  });
});

describe("a SCRAM verifier", () => {
  // The exchange of RFC 7677 section 3: user "user", password "pencil".
  const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
  const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const exchange = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt.toString("base64")},i=4096,c=biws,r=${nonce}`;
  const proof = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
  const signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

  test("accepts the proof of RFC 7677, and signs as its server does", async () => {
    const verifier = await scramVerifier(new Secret("pencil"), salt);
    const [, stored = "", server = ""] = /\$([^$:]+):([^:]+)$/.exec(verifier) ?? [];
    const hmac = (key: string) => createHmac("sha256", Buffer.from(key, "base64")).update(exchange);
    const clientKey = hmac(stored)
      .digest()
      .map((byte, i) => byte ^ (proof[i] ?? 0));
    expect(createHash("sha256").update(clientKey).digest("base64")).toBe(stored);
    expect(hmac(server).digest("base64")).toBe(signature);
    expect(verifier).toMatch(SCRAM_VERIFIER);
    expect(verifier).toContain("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$");
  });

  test("has a fresh salt each time, and never the password", async () => {
    const password = new Secret("abcdefghijklmnopqrstuvwxyz012345");
    const verifiers = await Promise.all([scramVerifier(password), scramVerifier(password)]);
    expect(new Set(verifiers).size).toBe(2);
    for (const verifier of verifiers) {
      expect(verifier).toMatch(SCRAM_VERIFIER);
      expect(verifier).not.toContain(password.reveal());
    }
  });
});

describe("a password", () => {
  test("at random is 192 bits of URL-safe ASCII", () => {
    const bytes = Uint8Array.from({ length: 24 }, (_, n) => n * 11);
    const password = randomPassword((length) => {
      expect(length).toBe(24);
      return bytes;
    });
    expect(password.reveal()).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(Buffer.from(password.reveal(), "base64url")).toEqual(Buffer.from(bytes));
  });

  test("of a key is the same for the same name and pepper, and for no other", () => {
    const pepper = (value: string) => ({ version: "v", value: new Secret(value) });
    const one = derivedPassword(pepper("a"), "mf_x").reveal();
    expect(one).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(derivedPassword(pepper("a"), "mf_x").reveal()).toBe(one);
    expect(derivedPassword(pepper("b"), "mf_x").reveal()).not.toBe(one);
    expect(derivedPassword(pepper("a"), "mf_y").reveal()).not.toBe(one);
  });
});

test("a name that is too long is cut, and stays different from other cut names", () => {
  expect(fitName("Mayfly", 23)).toBe("Mayfly");
  expect(fitName("a".repeat(23), 23)).toBe("a".repeat(23));
  const cut = ["TheShopOfTheOldTown-prod", "TheShopOfTheOldTown-test"].map((name) =>
    fitName(name, 23),
  );
  for (const each of cut) expect(each).toMatch(/^TheShopOfTheOldT-[a-z2-7]{6}$/);
  expect(new Set(cut).size).toBe(2);
});
