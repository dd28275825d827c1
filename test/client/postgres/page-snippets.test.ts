import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tempFolder } from "../../../local/temp-folder.ts";
import { filesOf, withLifetime, writeFiles } from "../../clients/snippets/page-files.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { root } from "../../support/pages.ts";
import { type Proxied, proxied } from "../../support/proxied.ts";

/*
 * What docs/languages/node.md shows, as it stands there. The other languages, with real leases, are
 * `npm run test:snippets`.
 */

/** Less than a second on a machine that does nothing else. */
const PATIENCE = { within: 60_000, every: 20 };

/** Counts orders until its input ends. Says `user` or `error` once a round. */
const APPLICATION = `
import { setTimeout } from "node:timers/promises";
const { countOrders, pool } = await import(process.argv[1]);
const { retried } = await import(process.argv[2]);
let goesOn = true;
process.stdin.on("end", () => { goesOn = false; }).resume();
const attempt = async (name, work) => {
  try { console.log(name, await work()); } catch (error) { console.log(name, "failed", error.code); }
};
const user = async () => (await pool.query("select current_user")).rows[0].current_user;
while (goesOn) {
  await attempt("plain", async () => (await countOrders(), user()));
  await attempt("retried", async () => (await retried(countOrders), retried(user)));
  await setTimeout(10);
}
await pool.end();`;

const { path: folder, remove } = tempFolder("node-page", join(root, "test"));
const undo: (() => unknown)[] = [remove];
let through: Proxied;
beforeAll(async () => {
  const made = await proxied(await fileCluster());
  undo.push(() => made[Symbol.asyncDispose]());
  await made.admin("create table public.orders (id int)");
  undo.push(() => made.admin("drop table public.orders"));
  await made.admin("grant select on public.orders to proxied");
  through = made;
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

test("the pool of docs/languages/node.md follows the leases, and its retry sees no revocation", async () => {
  const shown = filesOf("docs/languages/node.md");
  writeFiles(
    folder,
    shown.map((file) => withLifetime(file, 0.2)),
  );
  const files = ["orders.mjs", "retry.mjs"].map((name) => join(folder, name));
  const args = ["--input-type=module", "--eval", APPLICATION, ...files];
  const DATABASE_URL = `postgresql://nobody:wrong@127.0.0.1:${through.proxy.port}/orders`;
  const child = spawn(process.execPath, args, { env: { ...process.env, DATABASE_URL } });
  const ended = once(child, "close");
  const said: string[] = [];
  createInterface(child.stdout).on("line", (line) => said.push(line));
  const reports = (user: string) => () =>
    ["plain", "retried"].every((name) => said.includes(`${name} ${user}`));
  try {
    await eventually(reports(through.first.username), PATIENCE);
    // long enough for the pool to replace its connections, on any machine
    const second = await through.replace(3_600_000);
    await eventually(reports(second.username), PATIENCE);
    const revoked = said.length;
    expect(said.filter((line) => line.includes("failed"))).toEqual([]);
    const third = await through.replace(3_600_000);
    await through.admin(
      `alter role ${second.username} nologin;
       select pg_terminate_backend(pid) from pg_stat_activity where usename = '${second.username}'`,
    );
    await eventually(reports(third.username), PATIENCE);
    const failed = said.slice(revoked).filter((line) => line.includes("failed"));
    expect(failed.filter((line) => !/^plain failed (57P01|42501)$/.test(line))).toEqual([]);
  } finally {
    child.stdin.end();
    await ended;
  }
  expect(child.exitCode).toBe(0);
});
