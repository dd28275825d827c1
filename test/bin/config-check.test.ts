import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import mayflyPackage from "../../package.json" with { type: "json" };
import { mayfly } from "../support/mayfly.ts";

const { path: folder, remove } = tempFolder("config-check");
afterAll(remove);

const WRONG = join(folder, "wrong.config.ts");
const PATHS = ["databases.orders.owner", "databases.orders.roles.readonly.ttl"];
const pathOf = (problem: string): string => problem.slice(0, problem.indexOf(": "));
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

test("every problem of a configuration is reported, and the status is 78", async () => {
  for (const ran of [
    await mayfly(["config", "check", WRONG]),
    await mayfly(["config", "check"], { MAYFLY_CONFIG: WRONG }),
  ]) {
    expect(ran).toMatchObject({ status: 78, out: "" });
    const [file, ...problems] = ran.err.trimEnd().split("\n");
    expect(file).toBe(`mayfly: ${WRONG}`);
    expect(problems.map(pathOf)).toEqual(PATHS);
  }
});

test("with --json the problems are on stdout as JSON, and still on stderr", async () => {
  const { status, out, err } = await mayfly(["config", "check", WRONG, "--json"]);
  expect(status).toBe(78);
  const { file, problems } = JSON.parse(out) as { file: string; problems: string[] };
  expect(file).toBe(WRONG);
  expect(problems.map(pathOf)).toEqual(PATHS);
  for (const problem of problems) expect(err).toContain(`${problem}\n`);
});

test("a missing configuration is reported by its path", async () => {
  const { status, err } = await mayfly(["config", "check", "nowhere.config.ts"]);
  expect(status).toBe(78);
  expect(err).toMatch(/^mayfly: \S+nowhere\.config\.ts /);
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

test("--version prints the package's version", async () => {
  expect(await mayfly(["--version"])).toMatchObject({
    status: 0,
    out: `${mayflyPackage.version}\n`,
    err: "",
  });
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
