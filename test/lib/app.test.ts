import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import recommendedFlags from "aws-cdk-lib/recommended-feature-flags.json" with { type: "json" };
import { afterAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import { consumer, host } from "../config/sample-config.ts";

const root = join(import.meta.dirname, "..", "..");
const { path: folder, remove } = tempFolder("app");
afterAll(remove);

/** Feature flags of the CDK that cdk.json says nothing about, of those that new projects settle. */
function unsetFlags(outdir: string): string[] {
  const { artifacts } = JSON.parse(readFileSync(join(outdir, "manifest.json"), "utf8"));
  const { flags } = artifacts["aws-cdk-lib/feature-flag-report"].properties;
  return Object.keys(recommendedFlags).filter((flag) => flags[flag]?.userValue === undefined);
}

/** Run a program of ours as a shell would, with no credentials and nothing from this environment. */
function run(
  program: string,
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<{ status: unknown; out: string; err: string }> {
  const { PATH = "", NODE_COMPILE_CACHE = "" } = process.env;
  const options = {
    cwd: folder,
    env: { PATH, NODE_COMPILE_CACHE, CDK_VALIDATION: "false", ...env },
  };
  return new Promise((done) => {
    execFile(process.execPath, [join(root, program), ...args], options, (error, out, err) => {
      done({ status: error === null ? 0 : error.code, out, err });
    });
  });
}

test("prints every fault of a configuration and exits with 78", async () => {
  const path = join(folder, "wrong.config.ts");
  writeFileSync(
    path,
    `export default { consumers: {}, databases: { orders: {
      sandbox: true, databases: ["orders"], owner: "", roles: {
        readonly: { select: ["public.*"], ttl: "90x", maxTtl: "24h" } } } } };`,
  );
  const outdir = join(folder, "wrong");
  const { status, err } = await run("bin/app.ts", { MAYFLY_CONFIG: path, CDK_OUTDIR: outdir });
  expect(err.split("\n")).toEqual([
    path,
    expect.stringMatching(/^databases\.orders\.owner: ""/),
    expect.stringMatching(/^databases\.orders\.roles\.readonly\.ttl: "90x"/),
    "",
  ]);
  expect(status).toBe(78);
  expect(existsSync(join(outdir, "manifest.json"))).toBe(false);
});

const path = (name: string): string => join(folder, name);
const MODULE = "import rules from './rules.ts'; export default rules;";

test.each<[string, string, string | undefined, string]>([
  [
    "does not exist",
    "nowhere.config.ts",
    undefined,
    `${path("nowhere.config.ts")} does not exist; write it, or give the path of another`,
  ],
  [
    "imports what is not there",
    "import.config.ts",
    MODULE,
    `${path("import.config.ts")} could not be loaded: Cannot find module '${path("rules.ts")}' imported from ${path("import.config.ts")}`,
  ],
  [
    "imports Mayfly's package where it is not installed",
    "package.config.ts",
    'import { defineConfig } from "mayfly/config"; export default defineConfig({});',
    `${path("package.config.ts")} could not be loaded: Cannot find package 'mayfly' imported from ${path("package.config.ts")}; install the package there, by npm i and the file that npm pack makes of it, or export a plain object without this import (import type is possible)`,
  ],
  [
    "is no TypeScript",
    "syntax.config.ts",
    "export default {\n  databases: {,\n};",
    `${path("syntax.config.ts")} could not be loaded: Unexpected token \`,\`. Expected identifier, string literal, numeric literal or [ for the computed key, at ${path("syntax.config.ts")}:2`,
  ],
])("a configuration that %s: says so in words, and exits with 78", async (_, file, text, words) => {
  if (text !== undefined) writeFileSync(path(file), text);
  const { status, err } = await run("bin/mayfly.ts", {}, ["config", "check", file]);
  expect({ status, err }).toEqual({ status: 78, err: `mayfly: ${words}\n` });
});

test("a configuration without a default export is missing, and the status is 78", async () => {
  writeFileSync(path("named.config.ts"), "export const config = {};");
  const { status, err } = await run("bin/mayfly.ts", {}, ["config", "check", "named.config.ts"]);
  const lines = [`mayfly: ${path("named.config.ts")}`, expect.stringMatching(/^config: missing/)];
  expect({ status, lines: err.trimEnd().split("\n") }).toEqual({ status: 78, lines });
});

test("a folder as configuration is refused", async () => {
  mkdirSync(path("folder.config.ts"));
  const { status, err } = await run("bin/mayfly.ts", {}, ["config", "check", "folder.config.ts"]);
  expect(err).toMatch(/folder\.config\.ts could not be loaded: Directory import .* not supported/);
  expect(err.split("\n")).toHaveLength(2);
  expect(status).toBe(78);
});

test("synthesizes the shipped stack from the built functions, without credentials", async () => {
  const outdir = join(folder, "cdk.out");
  const { status, out, err } = await run("bin/synth.ts", { CDK_OUTDIR: outdir });
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out.split("\n")[0]).toBe(`synthesized into ${outdir}`);
  expect(out).toMatch(/^in all +\$\d+\.\d\d$/m);
  const template: unknown = JSON.parse(readFileSync(join(outdir, "Mayfly.template.json"), "utf8"));
  expect(template).toHaveProperty("Outputs.OrdersIssuerArn");
  expect(unsetFlags(outdir)).toEqual([]);
});

test("warns of nothing when the database and its VPC exist already", async () => {
  const config = { databases: { orders: host }, consumers: { app: consumer } };
  writeFileSync(path("host.config.ts"), `export default ${JSON.stringify(config)};`);
  const outdir = path("host");
  const env = { MAYFLY_CONFIG: "host.config.ts", CDK_OUTDIR: outdir };
  expect(await run("bin/app.ts", env)).toMatchObject({ status: 0, err: "" });
  expect(readFileSync(join(outdir, "manifest.json"), "utf8")).not.toContain("aws:cdk:warning");
  expect(readFileSync(path("host/Mayfly.metadata.json"), "utf8")).not.toContain("aws:cdk:warning");
});
