import { rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { makeSocketFolder } from "../../../bin/proxy/socket-folder.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

afterEach(() => vi.unstubAllEnvs());

test.each([
  ["none", undefined],
  ["an empty one", ""],
  ["a relative one", "run"],
  ["one that is not there", "/run/user/nobody"],
])("%s as XDG_RUNTIME_DIR: the socket's folder is a temporary one", (_, runtimeFolder) => {
  const folder = makeSocketFolder(runtimeFolder);
  try {
    expect(dirname(folder)).toBe(tmpdir());
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the socket's folder is in XDG_RUNTIME_DIR if that may be written to", () => {
  const { path, remove } = tempFolder("runtime");
  try {
    expect(dirname(makeSocketFolder(path))).toBe(path);
  } finally {
    remove();
  }
});

test("without any folder, one sentence names the value and the remedy", () => {
  vi.stubEnv("TMPDIR", join("/nowhere", "at-all"));
  expect(() => makeSocketFolder("")).toThrow(
    "cannot make a folder in /nowhere/at-all (ENOENT); set TMPDIR to one that you may write to",
  );
});
