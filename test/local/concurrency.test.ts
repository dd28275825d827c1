import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { AccountConcurrency } from "../../local/lambda/account-concurrency.ts";
import { LambdaInstance, type Outcome } from "../../local/lambda/lambda-instance.ts";
import { type Fate, LambdaPool } from "../../local/lambda/lambda-pool.ts";
import { ProcessLimit } from "../../local/lambda/process-limit.ts";

let taskRoot: string;
beforeAll(() => {
  taskRoot = mkdtempSync(join(tmpdir(), "mayfly-concurrency-"));
  writeFileSync(join(taskRoot, "index.mjs"), "export const handler = async () => process.pid;");
});
afterAll(() => rmSync(taskRoot, { recursive: true }));

const pools: LambdaPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

interface Limits {
  readonly account: AccountConcurrency;
  readonly processes: ProcessLimit;
}

const limitsOf = (processes: number, quota?: number): Limits => ({
  account: new AccountConcurrency(quota),
  processes: new ProcessLimit(processes),
});

function poolOf(limits: Limits, reserved?: number, hold?: Promise<void>): LambdaPool {
  const environment = { _HANDLER: "index.handler", PATH: process.env.PATH ?? "" };
  const made = new LambdaPool({
    reserved,
    limits,
    optionsOf: () => ({ taskRoot, environment, timeoutSeconds: 30, onLine: () => undefined }),
    fateOf: async (): Promise<Fate> => {
      await hold;
      return "run";
    },
  });
  pools.push(made);
  return made;
}

const call = (pool: LambdaPool): Promise<Outcome> =>
  pool.run("1", { requestId: "r", payload: "{}", invokedArn: "a" });

const THROTTLED = { name: "TooManyRequestsException", status: 429 };

test("a hundred calls at once take turns in as many processes as there may be", async () => {
  const limits = limitsOf(2);
  const pool = poolOf(limits);
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => call(pool)));
  expect(new Set(outcomes.map(({ payload }) => payload)).size).toBe(2);
  expect(outcomes.filter(({ failed }) => failed)).toEqual([]);
  expect(limits.processes.processes).toBe(2);
});

test("a process that fails to start frees its place", async () => {
  const limits = limitsOf(1);
  const broken = new LambdaInstance({
    taskRoot,
    environment: {},
    timeoutSeconds: 1,
    onLine: () => undefined,
  });
  await broken.stop();
  await expect(limits.processes.start(broken)).rejects.toThrow("stopped while starting");
  expect((await call(poolOf(limits))).failed).toBe(false);
});

test("a process that the system does not start fails its call alone", async () => {
  const environment = { _HANDLER: "index.handler" };
  const gone = join(taskRoot, "gone");
  const limits = limitsOf(1);
  const pool = new LambdaPool({
    reserved: undefined,
    limits,
    optionsOf: () => ({ taskRoot: gone, environment, timeoutSeconds: 30, onLine: () => undefined }),
  });
  pools.push(pool);
  const { failed, payload } = await call(pool);
  expect({ failed, ...JSON.parse(payload) }).toEqual({
    failed: true,
    errorType: "Runtime.ExitError",
    errorMessage: expect.stringMatching(/exited with error: spawn .* ENOENT$/),
  });
  expect((await call(poolOf(limits))).failed).toBe(false);
});

test("functions that call others cannot use every process", async () => {
  const limits = limitsOf(4);
  const inner = poolOf(limits);
  const answers = await Promise.all(
    Array.from({ length: 8 }, () =>
      limits.processes.run(async () => {
        await new Promise(setImmediate);
        return limits.processes.run(async () => "answer", true);
      }),
    ),
  );
  expect(answers).toEqual(Array.from({ length: 8 }, () => "answer"));
  expect((await call(inner)).failed).toBe(false);
});

test("an idle process ends for a function that has none", async () => {
  const limits = limitsOf(2);
  const [first, second, third] = [poolOf(limits), poolOf(limits), poolOf(limits)];
  const before = await call(first);
  await call(second);
  await call(third);
  expect(limits.processes.processes).toBe(2);
  const after = await call(first);
  expect(after.failed).toBe(false);
  expect(after.payload).not.toBe(before.payload);
  expect(limits.processes.processes).toBe(2);
});

test("functions without a reservation share what the reservations leave of the account", async () => {
  const limits = limitsOf(1, 103);
  limits.account.reserve("reserved", 3);
  const { promise, resolve } = Promise.withResolvers<void>();
  const [one, other] = [poolOf(limits, undefined, promise), poolOf(limits, undefined, promise)];
  const reserved = poolOf(limits, 3);
  const calls = [
    ...Array.from({ length: 60 }, () => call(one)),
    ...Array.from({ length: 40 }, () => call(other)),
  ];
  await expect(call(one)).rejects.toMatchObject({
    ...THROTTLED,
    details: { Reason: "ConcurrentInvocationLimitExceeded" },
  });
  expect((await call(reserved)).failed).toBe(false);
  resolve();
  expect(await Promise.all(calls)).toHaveLength(100);
  expect((await call(other)).failed).toBe(false);
});

test("a function with a reservation is throttled by that", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const pool = poolOf(limitsOf(1), 1, promise);
  const first = call(pool);
  await expect(call(pool)).rejects.toMatchObject({
    ...THROTTLED,
    details: { Reason: "ReservedFunctionConcurrentInvocationLimitExceeded" },
  });
  resolve();
  expect((await first).failed).toBe(false);
});

test.each([
  [1_000, 900],
  [150, 50],
  [10, 0],
])("of a quota of %d, %d can be reserved", (quota, reserved) => {
  expect(() => new AccountConcurrency(quota).reserve("f", reserved)).not.toThrow();
});

test.each([
  [1_000, 901, 100],
  [1_000, 995, 100],
  [150, 51, 100],
  [50, 1, 50],
  [10, 1, 10],
])("of a quota of %d, %d leave fewer than %d and are refused", (quota, reserved, least) => {
  expect(() => new AccountConcurrency(quota).reserve("f", reserved)).toThrow(
    `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${least}].`,
  );
});

test("reservations add up, may be changed, and are given back", () => {
  const account = new AccountConcurrency(1_000);
  account.reserve("a", 500);
  account.reserve("b", 400);
  expect(() => account.reserve("c", 1)).toThrow("minimum value of [100]");
  expect(() => account.reserve("a", 501)).toThrow("minimum value of [100]");
  account.reserve("a", 499);
  account.reserve("c", 1);
  account.reserve("b", undefined);
  account.reserve("a", 899);
});
