import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";

const root = join(import.meta.dirname, "..", "..");
const { path: folder, remove } = tempFolder("app");
afterAll(remove);

/** Run a program of ours as a shell would, with no credentials and nothing from this environment. */
function run(
  program: string,
  env: Record<string, string>,
): Promise<{ status: unknown; out: string; err: string }> {
  const { PATH = "" } = process.env;
  const options = { cwd: folder, env: { PATH, CDK_VALIDATION: "false", ...env } };
  return new Promise((done) => {
    execFile(process.execPath, [join(root, program)], options, (error, out, err) => {
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
    'databases.orders.owner: "" is not an owner of tables; name the PostgreSQL role that owns them, 1 to 63 bytes, no "mf_" or "pg_" in front',
    'databases.orders.roles.readonly.ttl: "90x" is not a duration; write a number and s, m, h or d, e.g. "1h"',
    "",
  ]);
  expect(status).toBe(78);
  expect(existsSync(join(outdir, "manifest.json"))).toBe(false);
});

test("names a configuration that does not exist", async () => {
  const { status, err } = await run("bin/app.ts", { MAYFLY_CONFIG: "nowhere.config.ts" });
  expect(err).toContain("nowhere.config.ts does not exist; write it, or name another with");
  expect(status).toBe(78);
});

test("synthesizes the shipped stack from the built functions, without credentials", async () => {
  const outdir = join(folder, "cdk.out");
  const { status, err } = await run("bin/synth.ts", { CDK_OUTDIR: outdir });
  expect({ status, err }).toEqual({ status: 0, err: "" });
  const template: unknown = JSON.parse(readFileSync(join(outdir, "Mayfly.template.json"), "utf8"));
  expect(template).toHaveProperty("Outputs.OrdersIssuerArn");
});
