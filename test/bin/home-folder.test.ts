import { expect, test } from "vitest";
import { ensureHome } from "../../bin/agent/home-folder.ts";

test("a user whom nobody knows gets a home, and others keep theirs", () => {
  const env: Record<string, string | undefined> = {};
  ensureHome(env, () => "/home/app");
  expect(env).toEqual({});
  ensureHome(env, () => {
    throw new Error("A system error occurred: uv_os_homedir returned ENOENT");
  });
  expect(env).toEqual({ HOME: "/" });
});
