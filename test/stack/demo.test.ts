import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Facts } from "../../demo/story.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import shipped from "../../mayfly.config.ts";
import { eventually } from "../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const scratch = tempFolder("demo-test");
const other = tempFolder("demo-config");
chmodSync(scratch.path, 0o755); // the database server's user looks into it
afterAll(scratch.remove);
afterAll(other.remove);

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string }>;
}

/**
 * `npm run demo -- …args`, with a folder of the test's own for temp files. In a process group of its
 * own, to signal all of it as a terminal does.
 */
function demo(args: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Run {
  const child = spawn(process.execPath, ["demo/main.ts", ...args], {
    cwd: ROOT,
    detached: true,
    env: { ...env, TMPDIR: scratch.path },
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
    const { status, stdout } = await demo(["--json"]).ended;
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
    const { rotations } = facts;
    expect(rotations.map(({ secret }) => secret)).toEqual(["issuer", "shop", "reports", "admin"]);
    for (const { secret, logins, refused, formerSqlState, kills } of rotations) {
      const takesTurns = ["issuer", "shop"].includes(secret);
      expect(logins).toBeGreaterThan(1);
      expect(refused).toBeLessThan(takesTurns ? 1 : logins);
      expect(formerSqlState).toBe(takesTurns ? undefined : "28P01");
      expect(kills).toBe(3);
    }
    expect(facts.renewedBySeconds).toBeGreaterThan(0);
    const { sessionEndedMs, roleGoneMs } = facts.atExpiry;
    expect(sessionEndedMs).toBeGreaterThanOrEqual(0);
    expect(Math.max(sessionEndedMs, roleGoneMs)).toBeLessThan(2_000);
    for (const word of [
      "ask",
      "use",
      "deny",
      "replay",
      "renew",
      "expire",
      "receipt",
      "sweep",
      "rotate",
      "sessions",
      "kill",
    ])
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

  test("Ctrl-C during the start is no failure", async () => {
    const { child, output, ended } = demo();
    await eventually(() => output().includes("starting PostgreSQL"), { within: 60_000 });
    process.kill(-Number(child.pid), "SIGINT");
    expect((await ended).status).toBe(130);
    expect(output()).toMatch(/stopped\n$/);
    expect(output()).not.toMatch(/failed|Mayfly/);
    await nothingLeft();
  });

  test("needs the shipped configuration's roles, and says so", async () => {
    const { orders } = shipped.databases;
    const roles = { reader: orders?.roles.readonly };
    const consumers = Object.fromEntries(
      Object.entries(shipped.consumers).map(([name, consumer]) => [
        name,
        { ...consumer, roles: ["orders/reader"], secrets: undefined },
      ]),
    );
    const MAYFLY_CONFIG = join(other.path, "mayfly.config.ts");
    const config = { databases: { orders: { ...orders, roles, secrets: undefined } }, consumers };
    writeFileSync(MAYFLY_CONFIG, `export default ${JSON.stringify(config)};`);
    const { ended, output } = demo([], { ...process.env, MAYFLY_CONFIG });
    expect((await ended).status).toBe(1);
    expect(output()).toContain(
      "the demo failed: user-service may not call user-service--readonly: AccessDeniedException; the demo needs the stack of the shipped mayfly.config.ts\n",
    );
  });

  test.each<[string, Record<string, string>, number, string]>([
    ["a Region", {}, 64, "no Region: set AWS_REGION"],
    [
      "a Region with databases",
      { AWS_REGION: "eu-nowhere-9" },
      1,
      "Region eu-nowhere-9 has no RDS roots: there is no ",
    ],
    [
      "credentials",
      { AWS_REGION: "eu-west-1" },
      64,
      "Could not load credentials from any providers; set AWS_PROFILE or keys",
    ],
  ])("in an account needs %s", async (_, env, status, words) => {
    const { PATH } = process.env;
    const bare = { PATH, HOME: other.path, AWS_EC2_METADATA_DISABLED: "true", ...env };
    const { ended, output } = demo(["--stack", "Mayfly"], bare);
    expect((await ended).status).toBe(status);
    expect(output()).toContain(`the demo failed: ${words}`);
  });

  test("refuses arguments it does not know, and says what it knows", async () => {
    const { ended, output } = demo(["--fast"]);
    expect((await ended).status).toBe(64);
    expect(output()).toContain("Unknown option '--fast'");
    expect(output()).toContain("usage: npm run demo");
  });
});
