import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
      /fewer than 24 characters; write a longer one/,
    );
  } finally {
    remove();
  }
});

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot)("a file that a stranger put into a folder of all is no token of ours", () => {
  const { path: folder, remove } = tempFolder("token");
  try {
    const path = join(folder, "token");
    writeFileSync(path, "t".repeat(32), { mode: 0o600 });
    chownSync(path, 1_234, 1_234);
    // root gave it to the program that needs it
    expect(readOrMakeToken(path, randomBytes).reveal()).toBe("t".repeat(32));
    chmodSync(folder, 0o1777);
    expect(() => readOrMakeToken(path, randomBytes)).toThrow(/is user 1234's, in a folder of all/);
    chownSync(path, 0, 0);
    expect(readOrMakeToken(path, randomBytes).reveal()).toBe("t".repeat(32));
  } finally {
    remove();
  }
});

test("what a full disk left of a token is removed, so that the next try makes one", () => {
  const { path: folder, remove } = tempFolder("token");
  try {
    const path = join(folder, "token");
    const source = fileURLToPath(import.meta.resolve("../../../client/loopback/token-file.ts"));
    const program = `import { randomBytes } from "node:crypto";
import { readOrMakeToken } from ${JSON.stringify(source)};
readOrMakeToken(${JSON.stringify(path)}, randomBytes);`;
    // no file may have a byte in it
    const full = `ulimit -f 0; exec "$0" --input-type=module -e "$1"`;
    const { stderr } = spawnSync("sh", ["-c", full, process.execPath, program]);
    expect(String(stderr)).toContain("cannot be written: EFBIG");
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    remove();
  }
});

test("what is no file is refused, and not waited for", () => {
  const { path: folder, remove } = tempFolder("token");
  try {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", ["-m", "600", pipe]);
    expect(() => readOrMakeToken(pipe, randomBytes)).toThrow(/is no file; name another$/);
    expect(() => readOrMakeToken(folder, randomBytes)).toThrow(/is no file; name another$/);
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
