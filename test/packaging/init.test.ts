import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import type { MayflyConfig } from "../../config/index.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { mayflyHere } from "../support/mayfly.ts";

const { path: folder, remove } = tempFolder("init");
afterAll(remove);

// what a new configuration imports: the clone in place of the package
mkdirSync(join(folder, "node_modules"));
symlinkSync(join(import.meta.dirname, "..", ".."), join(folder, "node_modules", "mayfly"));

const FILES = ["app.ts", "cdk.json", "mayfly.config.ts", "package.json", "tsconfig.json"];
const ROLE = "arn:aws:iam::111122223333:role/reporting";
const SERVER = [
  "--host=db.example.com",
  "--admin-secret=orders-admin",
  "--vpc-id=vpc-0123456789abcdef0",
  "--availability-zones=eu-west-1a,eu-west-1b",
  "--subnet-ids=subnet-0123456789abcdef0,subnet-0123456789abcdef1",
  "--security-group-id=sg-0123456789abcdef0",
];

const init = (name: string, ...options: readonly string[]) =>
  mayflyHere(["init", join(folder, name), ...options], {});
/** What the new configuration exports, as written: `init` has checked it. */
async function configIn(name: string): Promise<MayflyConfig> {
  const { href } = pathToFileURL(join(folder, name, "mayfly.config.ts"));
  const module = (await import(href)) as { readonly default: MayflyConfig };
  return module.default;
}

test("without options, a sandbox with a service that may read it", async () => {
  const { status, out, err } = await init("sandbox");
  expect(status).toBe(0);
  expect(out.trim().split("\n").sort()).toEqual(FILES.map((name) => join(folder, "sandbox", name)));
  expect(err).toMatch(/^next, in .*: npm install, which fetches aws-cdk-lib, .*; npx cdk synth\n$/);
  const { databases, consumers } = await configIn("sandbox");
  expect(databases.orders).toMatchObject({ sandbox: true, owner: "app_owner" });
  expect(consumers).toEqual({ "user-service": { sandbox: true, roles: ["orders/readonly"] } });
});

test("with a server that exists, its address and a role that exists", async () => {
  const names = ["--database=bills", "--owner=bills_owner", "--consumer=reporting"];
  const { status } = await init("server", ...names, `--consumer-role=${ROLE}`, ...SERVER);
  expect(status).toBe(0);
  const { databases, consumers } = await configIn("server");
  expect(databases.bills).toMatchObject({
    owner: "bills_owner",
    host: "db.example.com",
    adminSecret: "orders-admin",
    vpc: {
      vpcId: "vpc-0123456789abcdef0",
      availabilityZones: ["eu-west-1a", "eu-west-1b"],
      privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
      securityGroupId: "sg-0123456789abcdef0",
    },
  });
  expect(consumers).toEqual({ reporting: { roleArn: ROLE, roles: ["bills/readonly"] } });
});

/** A folder with a package.json. */
function withManifest(name: string, text: string): string {
  mkdirSync(join(folder, name));
  const path = join(folder, name, "package.json");
  writeFileSync(path, text);
  return path;
}

test("a package.json that is there keeps what it says, and gets what is missing", async () => {
  const dependencies = { mayfly: "file:mayfly.tgz", constructs: "10.5.0" };
  const path = withManifest("begun", JSON.stringify({ name: "mine", dependencies }));
  const { status, err } = await init("begun");
  expect(status).toBe(0);
  expect(err).toContain(
    "npm install, which fetches aws-cdk-lib, @types/node, aws-cdk, typescript;",
  );
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({
    name: "mine",
    type: "module",
    dependencies: { ...dependencies, "aws-cdk-lib": expect.stringMatching(/^\^2\./) },
    devDependencies: { "aws-cdk": expect.stringMatching(/^\^2\./) },
  });
});

test.each([
  ["CommonJS", '{ "type": "commonjs" }', 64, /says "type": "commonjs"/],
  ["no JSON", "{", 78, /package\.json is not JSON: /],
])(
  "a package.json of %s is left alone, and nothing is written",
  async (name, text, status, words) => {
    const path = withManifest(name.replaceAll(" ", "-"), text);
    const ran = await init(name.replaceAll(" ", "-"));
    expect(ran).toMatchObject({ status, out: "", err: expect.stringMatching(words) });
    expect(readdirSync(dirname(path))).toEqual(["package.json"]);
    expect(readFileSync(path, "utf8")).toBe(text);
  },
);

test("an existing file is not overwritten", async () => {
  const path = join(dirname(withManifest("taken", "{}")), "app.ts");
  writeFileSync(path, "mine");
  expect(await init("taken")).toEqual({
    status: 64,
    out: "",
    err: `mayfly: ${dirname(path)} has app.ts already; nothing was written: name another folder\n`,
  });
  expect(readFileSync(path, "utf8")).toBe("mine");
  expect(readdirSync(dirname(path)).sort()).toEqual(["app.ts", "package.json"]);
});

test.each([
  ["a wrong name", ["--database=Orders"], 78, /databases\.Orders: "Orders" is not a name/],
  ["a server half described", SERVER.slice(0, 3), 64, /needs --availability-zones, --subnet-ids/],
  [
    "a secret without its server",
    SERVER.slice(1, 2),
    64,
    /--admin-secret: only for an existing server/,
  ],
])("%s is told, and nothing is written", async (name, options, status, words) => {
  const ran = await init(name.replaceAll(" ", "-"), ...options);
  expect(ran).toMatchObject({ status, out: "", err: expect.stringMatching(words) });
  expect(readdirSync(folder)).not.toContain(name.replaceAll(" ", "-"));
});
