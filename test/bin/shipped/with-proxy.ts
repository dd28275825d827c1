import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../../../bin/proxy/find-program.ts";
import { eventually } from "../../support/eventually.ts";
import { mayfly, mayflyProcess, type Running, shellOf, startMayfly } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
let administrator: Record<string, string>;
let workload: Record<string, string>;
const started: Running[] = [];

beforeAll(async () => {
  stack = await sharedShipped();
  await stack.runner.rotations.finished();
  const { NODE_COMPILE_CACHE = "" } = process.env;
  administrator = { ...shellOf(stack.runner, "administrator"), NODE_COMPILE_CACHE };
  workload = {
    ...shellOf(stack.runner, stack.runner.outputs.UserServiceRoleArn ?? ""),
    MAYFLY_LEASE_ORDERS_READONLY: `${stack.issuerArn}:user-service--readonly`,
  };
});
afterAll(() => {
  for (const each of started) each.signal("SIGKILL");
});

const GRANT = ["orders/readonly", "--consumer", "user-service", "--assume"];
const withCa = (...args: string[]): string[] => {
  const [command = "", ...rest] = args;
  return [command, "--ca", stack.runner.caFile ?? "", ...rest];
};

function start(args: string[], env: Record<string, string>): Running {
  const running = startMayfly(withCa(...args), env);
  started.push(running);
  return running;
}

const LEASE = /^mf_[a-z2-7]{4}_readonly_user-service_[a-z2-7]{22}$/;

const rolesNamed = async (username: string): Promise<number> =>
  (await stack.superuser(`select 1 from pg_roles where rolname = '${username}'`)).length;

/** An application that knows nothing of Mayfly, and ends with status 3 on SIGTERM. */
const APPLICATION = `
import pg from "pg";
process.on("SIGTERM", () => process.exit(3));
const client = new pg.Client();
await client.connect();
const { rows: [row] } = await client.query("select current_user as username");
await client.end();
const { DATABASE_URL, AWS_ACCESS_KEY_ID, PGPASSWORD } = process.env;
console.log(JSON.stringify({ ...row, DATABASE_URL, AWS_ACCESS_KEY_ID, PGPASSWORD }));
setInterval(() => {}, 1_000);`;
const NODE = [process.execPath, "--input-type=module", "-e", APPLICATION];

describe("exec", () => {
  test("gives a workload's command a database, passes its signal and status on, and revokes", async () => {
    const running = start(["exec", "--", ...NODE], workload);
    const told = JSON.parse(await running.firstLine()) as Record<string, string>;
    const { username = "", DATABASE_URL = "", PGPASSWORD = "" } = told;
    expect(username).toMatch(LEASE);
    expect(told.AWS_ACCESS_KEY_ID).toBe(workload.AWS_ACCESS_KEY_ID);
    expect(PGPASSWORD.length).toBeGreaterThan(20);
    const client = new pg.Client({ connectionString: DATABASE_URL });
    await client.connect();
    expect((await client.query("select current_user as username")).rows).toEqual([{ username }]);
    client.on("error", () => {}); // the proxy ends it
    running.signal("SIGTERM");
    expect(await running.ended).toBe(3);
    expect(await rolesNamed(username)).toBe(0);
    expect(running.text.err).not.toContain(PGPASSWORD);
  });

  test("answers whether a login works, to whoever has the token", async () => {
    const folder = mkdtempSync(join(tmpdir(), "mayfly-health-"));
    const tokenFile = join(folder, "token");
    const health = ["--json", "--health", "0", "--health-token", tokenFile];
    const running = start(
      ["exec", ...GRANT, ...health, "--", "sh", "-c", "echo up; exec sleep 60"],
      administrator,
    );
    await running.firstLine();
    await eventually(() => running.text.err.includes('"health"')); // the two streams may race
    const told = running.text.err
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly event: string; readonly port: number });
    const port = told.find(({ event }) => event === "health")?.port;
    const ask = async (path: string, authorization = ""): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } })).status;
    const token = readFileSync(tokenFile, "utf8").trim();
    expect(await ask("/livez")).toBe(200);
    expect(await ask("/readyz")).toBe(403);
    await eventually(async () => (await ask("/readyz", `Bearer ${token}`)) === 200);
    running.signal("SIGTERM");
    expect(await running.ended).toBe(143);
    await expect(ask("/livez")).rejects.toThrow("fetch failed");
    rmSync(folder, { recursive: true });
  });

  test("without a password, and ended by SIGHUP as its command is", async () => {
    const script = 'echo "$PGHOST ${PGPASSWORD-none} $PGUSER"; exec sleep 60';
    const args = ["exec", ...GRANT, "--private-loopback", "--", "sh", "-c", script];
    const running = start(args, administrator);
    expect(await running.firstLine()).toBe("127.0.0.1 none readonly");
    running.signal("SIGHUP");
    expect(await running.ended).toBe(129);
    expect(running.text.err).toBe("");
  });
});

test.skipIf(findProgram("psql", process.env.PATH) === undefined)(
  "psql logs in without a password, and its lease is gone with it (skipped without psql)",
  async () => {
    const args = withCa("psql", ...GRANT, "--", "-XAt", "-c", "select current_user");
    const { status, out, err } = await mayflyProcess(args, administrator);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out.trim()).toMatch(LEASE);
    expect(await rolesNamed(out.trim())).toBe(0);
  },
);

describe("connect", () => {
  test("prints URLs of the server and of a reader, logs no password, and revokes as its window closes", async () => {
    const { host, port } = stack.runner.database.superuser("orders");
    const args = ["connect", ...GRANT, "--reader", `${host}:${port}`, "--json"];
    const running = start(args, administrator);
    await running.firstLine();
    const usernames = [];
    let last = "";
    for (const { url, password } of JSON.parse(running.text.out) as Record<string, string>[]) {
      const client = new pg.Client({ connectionString: url });
      client.on("error", () => {}); // the proxy ends it
      await client.connect();
      const { rows } = await client.query<{ username: string }>("select current_user as username");
      usernames.push(rows[0]?.username ?? "");
      last = password ?? "";
    }
    const [username = ""] = usernames;
    expect(username).toMatch(LEASE);
    expect(usernames).toEqual([username, username]);
    running.closeWindow(); // it has sessions to end, and nobody reads that
    running.signal("SIGHUP");
    expect(await running.ended).toBe(0);
    expect(await rolesNamed(username)).toBe(0);
    const events = running.text.err
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toContain("listening");
    expect(running.text.err).not.toContain(last);
  });
});

describe("wrong use is told in one line, with the value and the remedy", () => {
  const TRUE = ["--", "true"];
  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["no command", ["exec", "orders/readonly"], {}, 64, /^no command to run; put it after --/],
    ["half of --health", ["exec", "--health", "8081", ...TRUE], {}, 64, /needs --health-token/],
    ["no such command", ["exec", "--", "no-such-program"], {}, 127, /"no-such-program"/],
    ["no lease named", ["exec", ...TRUE], {}, 64, /^name the lease as <database>\/<role>/],
    ["a malformed name", ["exec", "orders", ...TRUE], {}, 64, /"orders" is not a lease's name/],
    [
      "several consumers",
      ["exec", "orders/readonly", ...TRUE],
      {},
      64,
      /^orders\/readonly is granted to user-service, reporting; name one with --consumer$/,
    ],
    ["an unknown role", ["exec", "orders/none", ...TRUE], {}, 69, /^orders\/none is granted to/],
    ["an unknown database", ["exec", "users/readonly", ...TRUE], {}, 69, / users; it has Orders /],
    [
      "a person without the role",
      ["exec", "orders/readonly", "--consumer", "user-service", ...TRUE],
      {},
      77,
      /^only the role of user-service may ask for orders\/readonly; .* pass --assume$/,
    ],
    [
      "a consumer without a role of the stack's",
      ["connect", "orders/readonly", "--consumer", "nobody", "--assume"],
      {},
      69,
      /^stack Mayfly made no role for nobody: /,
    ],
    [
      "no such stack",
      ["psql", "orders/readonly", "--stack", "Other"],
      {},
      69,
      /^there is no stack Other in this account and Region \(AWS_REGION is eu-west-1\); /,
    ],
    [
      "another Region's function",
      ["exec", ...TRUE],
      { MAYFLY_LEASE_X_Y: "arn:aws:lambda:eu-west-2:123456789012:function:f:a--y" },
      77,
      /f:a--y/,
    ],
    [
      "what is no alias",
      ["exec", ...TRUE],
      { MAYFLY_LEASE_X_Y: "f" },
      64,
      /^"f" is not the ARN of an alias/,
    ],
    ["a malformed port", ["connect", ...GRANT, "--port", "x"], {}, 64, /^--port: "x" is no port/],
    ["a malformed reader", ["connect", ...GRANT, "--reader", "::"], {}, 64, /^--reader: "::" is/],
    [
      "no such CA",
      ["exec", ...GRANT, "--ca", "no.pem", ...TRUE],
      {},
      78,
      /^--ca: cannot read no.pem/,
    ],
  ])("%s", async (_, args, env, expected, words) => {
    const { status, out, err } = await mayfly(args, { ...administrator, ...env });
    expect({ status, out }).toEqual({ status: expected, out: "" });
    const message = err.trimEnd().replace(/^mayfly: /, "");
    expect(message).toMatch(words);
    expect(message).not.toContain("\n");
    expect(message.length).toBeLessThanOrEqual(160);
  });

  test("a port that is taken; the lease that was made is revoked", async () => {
    const { port } = stack.runner.database.superuser("orders");
    const before = (await mayfly(["leases"], administrator)).err;
    const taken = ["connect", ...GRANT, "--port", String(port)];
    const { status, out, err } = await mayfly(taken, administrator);
    expect({ status, out }).toEqual({ status: 64, out: "" });
    expect(err).toBe(
      `mayfly: port ${port} is taken; choose another, or stop the program that listens there\n`,
    );
    expect((await mayfly(["leases"], administrator)).err).toBe(before);
  });
});
