import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { synthesizeConfigured } from "../../local/cloudformation/synthesize.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { OLDEST_NODE } from "../../packaging/manifest.ts";
import { compileProgram } from "../../packaging/program.ts";
import { clientsOf, invoke } from "../local/clients.ts";
import { shellOf } from "../support/mayfly.ts";

const ROOT = join(import.meta.dirname, "../..");
const ROUNDS = 15;

/** From the start of `mayfly exec` to the first connection, without the issue. Milliseconds. */
const BUDGET = 300;

const folder = tempFolder("exec-start");
let assembly: Awaited<ReturnType<typeof synthesizeConfigured>>;
let runner: Runner;
let alias: string;
beforeAll(async () => {
  await compileProgram(ROOT, folder.path, {
    name: "mayfly",
    entry: "bin/mayfly.ts",
    oldestNode: OLDEST_NODE,
  });
  assembly = await synthesizeConfigured();
  runner = await startRunner({ assembly: assembly.folder });
  await runner.rotations.finished();
  alias = `${runner.outputs.OrdersIssuerArn}:user-service--readonly`;
});
afterAll(async () => {
  await runner?.stop();
  assembly?.remove();
  folder.remove();
});

const median = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

/** A process that was never started on this machine before has no cache of compiled code either. */
async function firstConnection(): Promise<number> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    [
      join(folder.path, "mayfly.js"),
      "exec",
      "--ca",
      runner.caFile,
      "--",
      "sh",
      "-c",
      'echo "$DATABASE_URL"; exec sleep 60',
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...shellOf(runner, runner.outputs.UserServiceRoleArn ?? ""),
        PATH: process.env.PATH,
        MAYFLY_LEASE_ORDERS_READONLY: alias,
      },
    },
  );
  const [connectionString] = await once(createInterface({ input: child.stdout }), "line");
  const client = new pg.Client({ connectionString });
  await client.connect();
  const took = performance.now() - start;
  await client.end();
  child.kill();
  await once(child, "close");
  return took;
}

async function issue(): Promise<number> {
  const userService = clientsOf(runner, runner.outputs.UserServiceRoleArn ?? "");
  const start = performance.now();
  await invoke(userService, alias, { action: "issue" });
  return performance.now() - start;
}

test("mayfly exec has a connection within its budget", async () => {
  await issue(); // the function is warm
  const [totals, issues]: [number[], number[]] = [[], []];
  for (let n = 0; n < ROUNDS; n++) {
    issues.push(await issue());
    totals.push(await firstConnection());
  }
  const own = median(totals) - median(issues);
  console.log(
    `mayfly exec, start to first connection, median of ${ROUNDS}: ${median(totals).toFixed(0)} ms, ${own.toFixed(0)} without the issue; budget ${BUDGET}`,
  );
  expect(own).toBeLessThanOrEqual(BUDGET);
});
