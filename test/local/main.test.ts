import { execFileSync, spawn } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { sandbox } from "../config/sample-config.ts";
import { eventually } from "../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const scratch = tempFolder("local-test");
chmodSync(scratch.path, 0o755); // the database server's user looks into it
afterAll(scratch.remove);

const endings: (() => void)[] = [];
afterEach(() => {
  for (const end of endings.splice(0)) end();
});

/**
 * `npm run local -- --quiet`, with a folder of the test's own for temp files. In a process group of
 * its own, so that `interrupt` reaches all of it, as a terminal's Ctrl-C does.
 */
function local(env: Record<string, string> = {}, args: readonly string[] = []) {
  const child = spawn(process.execPath, ["local/main.ts", "--quiet", ...args], {
    cwd: ROOT,
    detached: true,
    env: { ...process.env, TMPDIR: scratch.path, ...env },
  });
  endings.push(() => void child.kill("SIGKILL"));
  const printed = { out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    printed.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    printed.err += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const says = (words: string): Promise<unknown> =>
    eventually(() => printed.err.includes(words), { within: 200_000 });
  const interrupt = (): unknown => process.kill(-Number(child.pid), "SIGINT");
  return { printed, ended, says, interrupt };
}

function configured(databases: object): Record<string, string> {
  const path = join(scratch.path, "other.config.ts");
  writeFileSync(path, `export default ${JSON.stringify({ databases, consumers: {} })};`);
  endings.push(() => execFileSync("rm", [path]));
  return { MAYFLY_CONFIG: path };
}

/** The values that a shell has after it sourced `lines`. */
const sourced = (lines: string, names: readonly string[]): string[] =>
  execFileSync("sh", ["-euc", `${lines}\nprintf '%s\\n' ${names.map((n) => `"$${n}"`).join(" ")}`])
    .toString()
    .trimEnd()
    .split("\n");

const nothingLeft = (): Promise<unknown> =>
  eventually(() => readdirSync(scratch.path).length === 0);

describe("npm run local", () => {
  test("prints what a shell can source, says when PostgreSQL dies, and stops at Ctrl-C", async () => {
    const { printed, ended, says, interrupt } = local();
    await says("running until Ctrl-C");
    const names = [
      "ISSUER_ARN",
      "OPERATOR_ARN",
      "REVOKER_LOG_GROUP",
      "PGSSLROOTCERT",
      "NODE_EXTRA_CA_CERTS",
    ];
    const [issuer, operator, logs, caFile = "", authorities] = sourced(printed.out, names);
    expect(issuer).toMatch(/^arn:aws:lambda:eu-west-1:\d{12}:function:mayfly-Mayfly-....-issuer$/);
    expect(operator).toMatch(/-operator$/);
    expect(logs).toMatch(/^\/aws\/lambda\/.*-revoker$/);
    expect(authorities).toBe(caFile);
    const headings = printed.out.match(/^# as .*:$/gm);
    expect(headings?.toSorted()).toEqual([
      "# as an administrator, who may do anything that no policy denies:",
      "# as reporting:",
      "# as user-service:",
    ]);
    const calls = printed.out.match(/^# aws lambda invoke --function-name \S+/gm) ?? [];
    expect(calls.map((call) => call.replace(/^.*:/, "")).toSorted()).toEqual([
      "reporting--readonly",
      "user-service--readonly",
      "user-service--readwrite",
    ]);
    const variables = printed.out.match(/^# export MAYFLY_LEASE_.*$/gm) ?? [];
    expect(variables.map((each) => each.replace(/=.*:/, " ")).toSorted()).toEqual([
      "# export MAYFLY_LEASE_ORDERS_READONLY reporting--readonly",
      "# export MAYFLY_LEASE_ORDERS_READONLY user-service--readonly",
      "# export MAYFLY_LEASE_ORDERS_READWRITE user-service--readwrite",
    ]);
    const reads = printed.out.match(/^# aws secretsmanager .*$/gm) ?? [];
    expect(reads).toEqual([
      '# aws secretsmanager get-secret-value --secret-id "$ORDERS_REPORTS_SECRET_ARN"',
    ]);

    const pidFile = join(dirname(caFile), "data", "postmaster.pid");
    process.kill(Number(readFileSync(pidFile, "utf8").split("\n")[0]), "SIGKILL");
    await says("PostgreSQL ended with SIGKILL, unexpectedly");

    interrupt();
    expect(await ended).toBe(0);
    expect(printed.err).toMatch(/stopping; again to force it\nstopped\n$/);
    await nothingLeft();
  });

  test.each([["building and synthesizing"], ["creating Custom::MayflyProvision "]])(
    "Ctrl-C after '%s' is no failure",
    async (words) => {
      const { printed, ended, says, interrupt } = local();
      await says(words);
      interrupt();
      expect(await ended).toBe(0);
      expect(printed.err).toMatch(/stopped\n$/);
      expect(printed.err).not.toMatch(/did not start|running until/);
      await nothingLeft();
    },
  );

  test.each<[args: string[], words: string]>([
    [["--schema", "orders"], '--schema must be DATABASE=FILE, got "orders"'],
    [["--loud"], "Unknown option '--loud'"],
    [["all"], "Unexpected argument 'all'"],
  ])("%j is refused with the usage", async (args, words) => {
    const { printed, ended } = local({}, args);
    expect(await ended).toBe(64);
    expect(printed.out).toBe("");
    expect(printed.err).toContain(words);
    expect(printed.err).toContain("usage: npm run local");
  });

  test("a schema of no existing database is refused before anything is made", async () => {
    const { printed, ended } = local(configured({ orders: sandbox }), ["--schema", "orders=a.sql"]);
    expect(await ended).toBe(1);
    expect(printed.err).toMatch(
      /^did not start: --schema orders: \S+other\.config\.ts has no existing database of that name\n$/,
    );
  });
});
