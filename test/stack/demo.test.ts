import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Facts } from "../../demo/story.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { eventually } from "../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const scratch = tempFolder("demo-test");
chmodSync(scratch.path, 0o755); // the database server's user looks into it
afterAll(scratch.remove);

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string }>;
}

/** `npm run demo -- …args`, with a folder of the test's own for temp files. */
function demo(...args: string[]): Run {
  const child = spawn(process.execPath, ["demo/main.ts", ...args], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: scratch.path },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ status: number | null; stdout: string }>((resolve) => {
    child.once("close", (status) => resolve({ status, stdout }));
  });
  return { child, output: () => stdout + stderr, ended };
}

const nothingLeft = (): Promise<unknown> =>
  eventually(() => readdirSync(scratch.path).length === 0, { within: 10_000 });

describe("the demo", () => {
  test("tells one lease's story to its end, and leaves nothing behind", async () => {
    const { status, stdout } = await demo("--json").ended;
    expect(status).toBe(0);
    const facts = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Facts;
    expect(facts).toMatchObject({
      tls: "TLSv1.3",
      rowsRead: 5,
      insertSqlState: "42501",
      denial: expect.stringContaining("is not authorized to perform: lambda:InvokeFunction"),
      replayIsSame: true,
      atExpiry: { loginSqlState: "28P01" },
      receipt: { state: "revoked", blockers: [], servers: [{ sessionsEnded: 1 }] },
      sweep: { live: 0, revoked: 0, left: 0, foreign: [] },
    });
    expect(facts.renewedBySeconds).toBeGreaterThan(0);
    const { sessionEndedMs, roleGoneMs } = facts.atExpiry;
    expect(sessionEndedMs).toBeGreaterThanOrEqual(0);
    expect(Math.max(sessionEndedMs, roleGoneMs)).toBeLessThan(2_000);
    for (const word of ["ask", "use", "deny", "replay", "renew", "expire", "receipt", "sweep"])
      expect(stdout).toMatch(new RegExp(`^  ${word} `, "m"));
    await nothingLeft();
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ended by %s stops all it started", async (signal) => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("  renew "), { within: 60_000 });
    child.kill(signal);
    expect((await ended).status).toBe(130);
    await nothingLeft();
  });

  test("refuses arguments it does not know, and says what it knows", async () => {
    const { ended, output } = demo("--fast");
    expect((await ended).status).toBe(64);
    expect(output()).toContain("Unknown option '--fast'");
    expect(output()).toContain("usage: npm run demo");
  });
});
