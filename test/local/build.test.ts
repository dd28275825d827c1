import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

/** `node build.ts …args`; its stdout is closed at once when nobody wants it. */
async function build(args: readonly string[], wanted = true) {
  const child = spawn(process.execPath, ["build.ts", ...args]);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  if (!wanted) child.stdout.destroy();
  const [stderr, status] = await Promise.all([text(child.stderr), ended]);
  return { status, stderr };
}

test("the build finishes although its stdout is closed", async () => {
  expect(await build([], false)).toEqual({ status: 0, stderr: "" });
});

test("the build takes no arguments, and says so", async () => {
  const { status, stderr } = await build(["--fast"]);
  expect({ status, stderr }).toEqual({
    status: 64,
    stderr: expect.stringContaining("usage: npm run build\n"),
  });
});
