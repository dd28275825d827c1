import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { mayfly } from "../support/mayfly.ts";

const { path: folder, remove } = tempFolder("config-check");
afterAll(remove);

const WRONG = join(folder, "wrong.config.ts");
const PROBLEMS = [
  'databases.orders.owner: "" is not an owner of tables; name the PostgreSQL role that owns them, 1 to 63 bytes, no "mf_" or "pg_" in front',
  'databases.orders.roles.readonly.ttl: "90x" is not a duration; write a number and s, m, h or d, e.g. "1h"',
];
writeFileSync(
  WRONG,
  `export default { consumers: {}, databases: { orders: {
    sandbox: true, databases: ["orders"], owner: "", roles: {
      readonly: { select: ["public.*"], ttl: "90x", maxTtl: "24h" } } } } };`,
);

test("the shipped configuration has no problem", async () => {
  const { status, out, err } = await mayfly(["config", "check"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out).toMatch(
    /mayfly\.config\.ts: 1 database, 2 dynamic roles, 3 rotated secrets, 2 consumers, 3 grants, no problem\n$/,
  );
});

test("every problem of a configuration is told, and the status is 78", async () => {
  const expected = { status: 78, out: "", err: `mayfly: ${[WRONG, ...PROBLEMS].join("\n")}\n` };
  expect(await mayfly(["config", "check", WRONG])).toMatchObject(expected);
  expect(await mayfly(["config", "check"], { MAYFLY_CONFIG: WRONG })).toMatchObject(expected);
});

test("as JSON the problems are data, and still words", async () => {
  const { status, out, err } = await mayfly(["config", "check", WRONG, "--json"]);
  expect(status).toBe(78);
  expect(JSON.parse(out)).toEqual({ file: WRONG, problems: PROBLEMS });
  expect(err).toContain(PROBLEMS[0]);
});

test("a file that is not there is told", async () => {
  const { status, err } = await mayfly(["config", "check", "nowhere.config.ts"]);
  expect(status).toBe(78);
  expect(err).toMatch(/^mayfly: \S+nowhere\.config\.ts does not exist; write it/);
});

test.each<[string[], number]>([
  [["--help"], 0],
  [["issue", "--help"], 0],
  [["help", "revoke"], 0],
  [["config", "check", "--help"], 0],
])("%j prints the exit statuses on stdout", async (args, expected) => {
  const { status, out, err } = await mayfly(args);
  expect({ status, err }).toEqual({ status: expected, err: "" });
  expect(out).toMatch(/exit status:\n +0 {2}done\n/);
});

test.each<[string[], RegExp]>([
  [[], /^Usage: mayfly/],
  [["grant"], /^mayfly: unknown command 'grant'\n/],
  [["config"], /^Usage: mayfly config/],
  [["config", "check", "a", "b"], /^mayfly: too many arguments/],
])("%j is not understood: words on stderr, status 64", async (args, words) => {
  const { status, out, err } = await mayfly(args);
  expect({ status, out }).toEqual({ status: 64, out: "" });
  expect(err).toMatch(words);
});
