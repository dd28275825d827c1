import { randomBytes } from "node:crypto";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readOrMakeToken, tokenCheck } from "../../../client/loopback/token-file.ts";
import { Secret } from "../../../core/secret.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

test("the token's file is its owner's alone, and is kept", () => {
  const { path: folder, remove } = tempFolder("token");
  try {
    const path = join(folder, "token");
    const made = readOrMakeToken(path, randomBytes);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readOrMakeToken(path, randomBytes).reveal()).toBe(made.reveal());
    chmodSync(path, 0o640);
    expect(() => readOrMakeToken(path, randomBytes)).toThrow(
      /may be read by others; chmod it to 600/,
    );
    expect(() => readOrMakeToken(join(folder, "no/token"), randomBytes)).toThrow(/written: ENOENT/);
    writeFileSync(join(folder, "short"), "t".repeat(23), { mode: 0o600 });
    expect(() => readOrMakeToken(join(folder, "short"), randomBytes)).toThrow(
      /no token; remove it/,
    );
  } finally {
    remove();
  }
});

test("only the token itself is the token", () => {
  const isToken = tokenCheck(new Secret("t".repeat(32)));
  expect(isToken("t".repeat(32))).toBe(true);
  for (const other of [undefined, "", "t".repeat(31), "t".repeat(33), "u".repeat(32)])
    expect(isToken(other)).toBe(false);
});
