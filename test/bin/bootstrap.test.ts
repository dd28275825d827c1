import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import { bootstrapScript } from "../../lambda/postgres/provisioning/bootstrap/script.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { mayfly } from "../support/mayfly.ts";
import { shippedAssembly } from "../support/shipped-assembly.ts";

const { path: folder, remove } = tempFolder("bootstrap");
afterAll(remove);

const TWO = join(folder, "two.config.ts");
const WRONG = join(folder, "wrong.config.ts");
const database = (more: string): string => `{
  host: "db.example.com", adminSecret: "db/admin", owner: "app_owner", ${more}
  vpc: { vpcId: "vpc-0123456789abcdef0", availabilityZones: ["eu-west-1a"],
    privateSubnetIds: ["subnet-0123456789abcdef0"], securityGroupId: "sg-0123456789abcdef0" },
  roles: { ro: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } } }`;
writeFileSync(
  TWO,
  `export default { consumers: {}, databases: {
    orders: ${database('databases: ["orders", "archive"], shards: 2,')},
    stock: ${database('databases: ["stock"], tag: "ab27",')} } };`,
);
writeFileSync(WRONG, 'export default { consumers: {}, databases: { orders: "none" } };');

const PRINT = ["bootstrap"];

/** The plan that the shipped stack sends its provisioner. */
async function synthesizedPlan() {
  const template = readFileSync(join(await shippedAssembly(), "Mayfly.template.json"), "utf8");
  const { Resources } = JSON.parse(template) as {
    Resources: Record<string, { Type: string; Properties: { Plan?: string } }>;
  };
  const found = Object.values(Resources).find(({ Type }) => Type === "Custom::MayflyProvision");
  return parseProvisionPlan(found?.Properties.Plan);
}

test("the script is made of the very plan that the stack sends its provisioner", async () => {
  const plan = await synthesizedPlan();
  const { status, out, err } = await mayfly(PRINT);
  expect(status).toBe(0);
  expect(out).toBe(bootstrapScript(plan, "mayfly_admin"));
  expect(err).toBe(
    `for administrator mayfly_admin, database orders, stack Mayfly, tag ${plan.tag}; let a DBA read it and run it with psql\n`,
  );
  expect(out).not.toMatch(/password '/i);
});

test("--admin names another administrator in the script and on stderr", async () => {
  const { status, out, err } = await mayfly([...PRINT, "--admin", "dba"]);
  expect(status).toBe(0);
  expect(out).toBe(bootstrapScript(await synthesizedPlan(), "dba"));
  expect(err).toMatch(/^for administrator dba, /);
});

test("another stack of the same configuration has another tag", async () => {
  const { status, out } = await mayfly([...PRINT, "--stack", "Other"]);
  expect(status).toBe(0);
  expect(out).not.toContain(`mf_${(await synthesizedPlan()).tag}_`);
});

test("a database of several is chosen, with its tag, its shards and its own databases", async () => {
  const stock = await mayfly([...PRINT, "--config", TWO, "--database", "stock"]);
  expect(stock).toMatchObject({
    status: 0,
    err: expect.stringContaining("database stock, stack Mayfly"),
  });
  expect(stock.out).toContain('create role "mf_ab27_issuer_ap"');
  expect(stock.out.match(/^\\connect .*/gm)).toEqual(["\\connect mayfly", "\\connect stock"]);
  const orders = await mayfly([...PRINT, "--database", "orders"], { MAYFLY_CONFIG: TWO });
  expect(orders.out).not.toContain("_issuer_ac");
  expect(orders.out.match(/^\\connect .*/gm)).toEqual([
    "\\connect mayfly",
    "\\connect orders",
    "\\connect archive",
  ]);
});

test.each<[string, string[], number, RegExp]>([
  [
    "an empty name",
    [...PRINT, "--admin", ""],
    64,
    /--admin: "" cannot be an administrator's login/,
  ],
  ["one of Mayfly's", [...PRINT, "--admin", "mf_x"], 64, /--admin: "mf_x" /],
  ["64 bytes", [...PRINT, "--admin", "é".repeat(32)], 64, /--admin: "é+" /],
  ["several databases", [...PRINT, "--config", TWO], 64, /databases orders, stock;/],
  ["no such database", [...PRINT, "--database", "x"], 64, /has no database x; it has orders\n/],
  ["a configuration that is not there", [...PRINT, "--config", "no.ts"], 78, /\/no\.ts /],
  ["a configuration that is wrong", [...PRINT, "--config", WRONG], 78, /databases\.orders: /],
  ["an unknown option", [...PRINT, "--run"], 64, /^mayfly: unknown option '--run'\n/],
])("%s: words on stderr, nothing on stdout", async (_, args, expected, words) => {
  const { status, out, err } = await mayfly(args);
  expect({ status, out }).toEqual({ status: expected, out: "" });
  expect(err).toMatch(words);
});
