import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { compose } from "../../lambda/handlers/compose.ts";
import { composeSweeper } from "../../lambda/handlers/compose-sweeper.ts";
import { eventually } from "../support/eventually.ts";

/** As for an issue: what its function has, less what its other steps need. */
const ENOUGH_FOR_AN_ISSUE = 20_000;

/** How long its clients have waited, each. Milliseconds. */
const waits: number[] = [];
let waiting = 0;
let mostWaiting = 0;

let silent: Server;
let folder: string;
beforeAll(async () => {
  // accepts, and never answers: as a route that leads nowhere
  silent = createServer((socket) => {
    const start = performance.now();
    waiting += 1;
    mostWaiting = Math.max(mostWaiting, waiting);
    socket.on("error", () => {});
    socket.resume().once("close", () => {
      waits.push(performance.now() - start);
      waiting -= 1;
    });
  });
  await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
  folder = mkdtempSync(join(tmpdir(), "mayfly-compose-"));
  const deployment = { database: "orders", tag: "abcd", shards: 1, tls: "verify-full" };
  writeFileSync(join(folder, "deployment.json"), JSON.stringify(deployment));
  const { port } = silent.address() as AddressInfo;
  vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${port}`);
  vi.stubEnv("AWS_REGION", "eu-west-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "key");
});
afterAll(() => {
  vi.unstubAllEnvs();
  silent.close();
  rmSync(folder, { recursive: true });
});

beforeEach(() => {
  waits.length = 0;
  mostWaiting = 0;
});

/** What all waits of one call take together, whatever a busy machine adds to some of them. */
async function patience(): Promise<number> {
  await eventually(() => waiting === 0);
  return waits.length * Math.min(...waits);
}

const environment = (root: string) => ({
  AWS_REGION: "eu-west-1",
  DB_HOST: "db.example.com",
  DB_PORT: "5432",
  ISSUER_SECRET_ARN: "issuer",
  JANITOR_SECRET_ARN: "janitor",
  LAMBDA_TASK_ROOT: root,
  REVOCATION_QUEUE_ARN: "queue",
  SCHEDULER_ROLE_ARN: "role",
  SCHEDULE_DLQ_ARN: "dead-letters",
  SCHEDULE_GROUP: "leases",
  SERVER_ID: "db.example.com:5432",
});

test("a Scheduler that never answers is given up in time, and the function goes on", async () => {
  const { deps } = compose(environment(folder));
  const input = { leaseId: "orders/readonly/lease", incarnation: "16500" };
  await expect(deps.scheduler.create("aaaabbbbcccc-1", 1, input)).rejects.toThrow(
    /could not be created \(TimeoutError on scheduler:CreateSchedule\); wait and retry/,
  );
  const attempts = 3; // core/leases/revocation/schedules.ts tries as often
  expect((await patience()) * attempts).toBeLessThan(ENOUGH_FOR_AN_ISSUE);
});

test("a DescribeSecret that never answers costs a sweep no more than its bounds, for all at once", async () => {
  const rotating = mkdtempSync(join(folder, "rotating-"));
  const names = ["issuer", "reports", "writer"];
  const rotatedSecrets = Object.fromEntries(names.map((name) => [name, { periodSeconds: 86_400 }]));
  writeFileSync(
    join(rotating, "deployment.json"),
    JSON.stringify({
      database: "orders",
      tag: "abcd",
      shards: 1,
      tls: "verify-full",
      rotatedSecrets,
    }),
  );
  const { secretsOverdue } = composeSweeper({
    ...environment(rotating),
    ROTATED_SECRETS: JSON.stringify(Object.fromEntries(names.map((name) => [name, `arn:${name}`]))),
  });
  expect(await secretsOverdue?.()).toEqual([]);
  expect((await patience()) / names.length).toBeLessThan(10_000);
  expect(mostWaiting).toBe(names.length);
});

test("a stack without rotated secrets does not ask for their age", () => {
  expect(composeSweeper(environment(folder)).secretsOverdue).toBeUndefined();
});
