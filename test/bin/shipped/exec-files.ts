import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mayfly, shellOf, startMayfly } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
let administrator: Record<string, string>;
let folder: string;

beforeAll(async () => {
  stack = await sharedShipped();
  await stack.runner.rotations.finished();
  const { NODE_COMPILE_CACHE = "" } = process.env;
  administrator = { ...shellOf(stack.runner, "administrator"), NODE_COMPILE_CACHE };
  folder = mkdtempSync(join(tmpdir(), "exec-files-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const GRANT = ["orders/readonly", "--consumer", "user-service", "--assume"];

test("exec writes files before its command runs, and removes them and the lease after it", async () => {
  const ca = stack.runner.caFile ?? "";
  const [template, path, env] = ["a.hbs", "a.json", "db.env"].map((name) => join(folder, name));
  writeFileSync(template ?? "", '{ "user": {{json username}}, "password": {{json password}} }');
  const files = ["--template", `${template}:${path}`, "--file", `env:${env}`];
  const script = `cat ${path}; echo; echo "\${PGHOST-none}"; exec sleep 60`;
  const running = startMayfly(
    ["exec", "--ca", ca, ...GRANT, ...files, "--restart-on-change", "--", "sh", "-c", script],
    administrator,
  );
  const { user, password } = JSON.parse(await running.firstLine()) as Record<string, string>;
  const { host, port } = stack.runner.database.superuser("orders");
  const client = new pg.Client({
    host,
    port,
    database: "orders",
    user,
    password,
    ssl: { ca: stack.runner.database.ca },
  });
  await client.connect();
  await client.end();
  expect(existsSync(env ?? "")).toBe(true);
  running.signal("SIGTERM");
  expect(await running.ended).toBe(143);
  expect(running.text.out.split("\n")[1]).toBe("none");
  expect([existsSync(path ?? ""), existsSync(env ?? "")]).toEqual([false, false]);
  expect(await stack.superuser(`select 1 from pg_roles where rolname = '${user}'`)).toEqual([]);
  expect(running.text.err).toBe("");
});

test.each<[string, string[], number, RegExp]>([
  ["an unknown format", ["--file", "xml:/tmp/a"], 64, /^--file: "xml:\/tmp\/a" is no file; give /],
  [
    "files beside the proxy's options",
    ["--file", "env:a", "--socket"],
    64,
    /^--socket is about the proxy, and with files there is none; leave one of them out$/,
  ],
  ["a restart without files", ["--restart-on-change"], 64, /^--restart-on-change is about files;/],
  ["a template that is not there", ["--template", "no.hbs:a"], 78, /^--template: cannot read no/],
])("%s is refused before any lease is taken", async (_, options, expected, words) => {
  const args = ["exec", ...GRANT, ...options, "--", "true"];
  const { status, out, err } = await mayfly(args, administrator);
  expect({ status, out }).toEqual({ status: expected, out: "" });
  const message = err.trimEnd().replace(/^mayfly: /, "");
  expect(message).toMatch(words);
  expect(message.length).toBeLessThanOrEqual(160);
});

test("a mistake in a template is told with its line, before any lease is taken", async () => {
  const template = join(folder, "wrong.hbs");
  writeFileSync(template, "user: {{username}}\npass: {{pasword}}\n");
  const { status, err } = await mayfly(
    ["exec", ...GRANT, "--template", `${template}:${join(folder, "out")}`, "--", "true"],
    administrator,
  );
  expect(status).toBe(78);
  expect(err).toMatch(/wrong\.hbs, line 2: there is no field "pasword"; there are username, pass/);
});
