import { DeleteScheduleCommand, ListSchedulesCommand } from "@aws-sdk/client-scheduler";
import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { invoke } from "../../local/clients.ts";
import { eventually } from "../../support/eventually.ts";
import type { ShippedStack } from "../../support/stack.ts";
import { promised } from "./stack.ts";

let stack: ShippedStack;
beforeAll(async () => {
  stack = await promised();
});

const rolesNamed = (username: string): Promise<unknown[]> =>
  stack.superuser(`select 1 from pg_roles where rolname = '${username}'`);

const auditOf = (username: string, event: string): Record<string, unknown>[] =>
  stack.runner
    .logs()
    .filter(({ line }) => line.includes(`"${event}"`) && line.includes(username))
    .map(({ line }) => JSON.parse(line));

const revokerArn = (): string => stack.operatorArn.replace(/operator$/, "revoker");

/** Bodies of the messages that wait for the revoker, or that it works at. */
const queued = (): readonly string[] => {
  const [reading] = stack.runner.calls.filter(({ action }) => action === "sqs:ReceiveMessage");
  return stack.runner.queueMessages(reading?.resource ?? "no queue is read");
};

/** Names of the group's schedules that belong to a lease. */
async function schedulesOf(username: string): Promise<string[]> {
  const { Schedules = [] } = await stack.administrator.scheduler.send(
    new ListSchedulesCommand({ NamePrefix: username.slice(-12) }),
  );
  return Schedules.flatMap(({ Name }) => Name ?? []);
}

async function deleteSchedules(username: string): Promise<void> {
  const { Schedules = [] } = await stack.administrator.scheduler.send(
    new ListSchedulesCommand({ NamePrefix: username.slice(-12) }),
  );
  for (const { Name, GroupName } of Schedules)
    await stack.administrator.scheduler.send(new DeleteScheduleCommand({ Name, GroupName }));
}

test.concurrent("a lease ends at its expiry by its schedule, delivered twice, with one receipt", async () => {
  const credential = await stack.issue({ ttlSeconds: 10 });
  const { username, expiresAt } = credential;
  const client = await stack.logIn(credential);
  const ended = new Promise<void>((resolve) => client.once("end", resolve));
  expect(await schedulesOf(username)).toEqual([
    `${username.slice(-12)}-${Date.parse(expiresAt) / 1_000}`,
  ]);
  await ended;
  const endedAt = Date.now();
  await eventually(async () => (await rolesNamed(username)).length === 0);
  expect(endedAt - Date.parse(expiresAt)).toBeGreaterThanOrEqual(0);
  await expect(stack.logIn(credential)).rejects.toMatchObject({ code: "28P01" });
  const [revoked] = await eventually(() => {
    const lines = auditOf(username, "lease.revoked");
    return lines.length > 0 && lines;
  });
  expect(revoked?.receipt).toMatchObject({ state: "revoked", blockers: [] });
  // a second on a machine that is free, and no sweep's five minutes
  expect(Date.parse(String(revoked?.timestamp)) - Date.parse(expiresAt)).toBeLessThan(15_000);
  expect(auditOf(username, "lease.issued")).toHaveLength(1);
  // the second look at the OID is scheduled before the role is dropped
  expect(await schedulesOf(username)).toEqual([expect.stringMatching(/-recheck$/)]);
});

test.concurrent("a renewed lease outlives its first schedule, which makes the next", async () => {
  const credential = await stack.issue({ ttlSeconds: 10 });
  const { username, leaseId } = credential;
  const { answer } = await stack.ask({ action: "renew", leaseId, ttlSeconds: 600 });
  const next = `${username.slice(-12)}-${Date.parse(String(answer?.expiresAt)) / 1_000}`;
  await eventually(async () => (await schedulesOf(username)).includes(next));
  expect(await schedulesOf(username)).toEqual([next]);
  // told once the next schedule is made
  await eventually(() => auditOf(username, "lease.rescheduled").length > 0);
  await (await stack.logIn(credential)).end();
  await stack.ask({ action: "revoke", leaseId });
});

test("a lease whose schedule got lost is given one by the sweep", async () => {
  const { username, leaseId } = await stack.issue();
  await deleteSchedules(username);
  const { answer } = await stack.operate({ action: "sweep" });
  expect(answer).toMatchObject({ live: 1, schedulesMade: 1, revoked: 0 });
  expect(await schedulesOf(username)).toHaveLength(1);
  await stack.ask({ action: "revoke", leaseId });
});

test("an expired lease whose schedule got lost is revoked by the sweep, sessions and all", async () => {
  const credential = await stack.issue();
  const { username } = credential;
  const client = await stack.logIn(credential);
  await deleteSchedules(username);
  await stack.superuser(`alter role "${username}" valid until '2020-01-01T00:00:00Z'`);
  const { answer } = await stack.operate({ action: "sweep" });
  expect(answer).toMatchObject({ revoked: 1, quarantined: 0, left: 0 });
  expect(await rolesNamed(username)).toEqual([]);
  await expect(client.query("select 1")).rejects.toThrow(/terminat|not queryable/);
});

test("leases that end together are revoked together, by two instances of the revoker at most", async () => {
  const held = await Promise.all(Array.from({ length: 5 }, () => stack.issue({ ttlSeconds: 10 })));
  held.push(...(await Promise.all(held.map(() => stack.issue({ ttlSeconds: 10 }, "readwrite")))));
  const lines = await eventually(() => {
    const found = held.flatMap(({ username }) => auditOf(username, "lease.revoked"));
    return found.length === held.length && found;
  });
  // the first messages are handed over at once; what comes meanwhile is read together
  const invocations = Map.groupBy(lines, (line) => line.function_request_id);
  expect(Math.max(...[...invocations.values()].map(({ length }) => length))).toBeGreaterThan(1);
  await eventually(() => queued().length === 0);
  const revoker = revokerArn().replace(/^.*:/, "");
  const started = stack.runner
    .logs(revoker)
    .flatMap(({ line }) => (line.includes('"cold_start":true') ? JSON.parse(line) : []));
  const instances = new Set(started.map((line) => line.function_request_id));
  expect(instances.size).toBeLessThanOrEqual(2);
});

test("a revocation that fails comes again when its message does, and fails no other", async () => {
  const [stuck, other] = [
    await stack.issue({ ttlSeconds: 10 }),
    await stack.issue({ ttlSeconds: 10 }),
  ];
  const lock = new pg.Client(stack.runner.database.superuser("postgres"));
  await lock.connect();
  await lock.query("begin");
  await lock.query(`alter role "${stuck.username}" connection limit 5`);
  await eventually(() => auditOf(other.username, "lease.revoked").length > 0);
  await eventually(() => auditOf(stuck.username, "lease.failed").length > 0);
  const [failed] = auditOf(stuck.username, "lease.failed");
  expect(failed).toMatchObject({ errorType: "DatabaseUnavailableError", leaseId: stuck.leaseId });
  await lock.query("rollback");
  await lock.end();
  expect(await rolesNamed(stuck.username)).toHaveLength(1);
  await eventually(() => queued().every((body) => body.includes(stuck.username)));
  await stack.runner.rotations.advance(360_000);
  await eventually(() => auditOf(stuck.username, "lease.revoked").length > 0);
  expect(await rolesNamed(stuck.username)).toEqual([]);
});

test("asked by hand with a schedule's input, the revoker answers a receipt", async () => {
  const { leaseId, username } = await stack.issue();
  const [{ oid } = { oid: "" }] = await stack.superuser(
    `select oid::text as oid from pg_roles where rolname = '${username}'`,
  );
  const input = { leaseId, incarnation: oid };
  const early = await invoke(stack.administrator, revokerArn(), input);
  expect(early.answer).toMatchObject({ state: "not due", leaseId });
  await stack.superuser(`alter role "${username}" valid until '2020-01-01T00:00:00Z'`);
  const due = await invoke(stack.administrator, revokerArn(), input);
  expect(due.answer).toMatchObject({ state: "revoked", leaseId, incarnation: oid });
});

test("a schedule's event that is not one of ours is refused by the revoker", async () => {
  const revoker = revokerArn();
  for (const event of [
    {},
    { leaseId: "x", incarnation: 20_000 },
    { leaseId: null, incarnation: 10 },
  ]) {
    const { answer } = await invoke(stack.administrator, revoker, event);
    expect(answer).toMatchObject({ errorType: "InvalidRequestError" });
  }
});

test("on another server than the stamp's, the sweeper ends every lease, and says so once", async () => {
  const held = [await stack.issue(), await stack.issue({}, "readwrite")];
  const [{ instance } = { instance: "" }] = await stack.superuser(
    "select instance from mayfly.stack",
    "mayfly",
  );
  expect(instance).toMatch(/^db-[A-Z0-9]{26}$/);
  await stack.superuser("update mayfly.stack set instance = 'db-ORIGINAL'", "mayfly");
  const sweeper = stack.operatorArn.replace(/operator$/, "sweeper");
  const { answer } = await invoke(stack.administrator, sweeper, { action: "sweep" });
  expect(answer).toMatchObject({ server: "other", revoked: 2, live: 0, left: 0 });
  for (const credential of held)
    await expect(stack.logIn(credential)).rejects.toMatchObject({ code: "28P01" });
  const again = await invoke(stack.administrator, sweeper, { action: "sweep" });
  expect(again.answer).toMatchObject({ server: "same", revoked: 0 });
  const lines = stack.runner.logs().filter(({ line }) => line.includes('"cluster.restored"'));
  expect(lines.map(({ line }) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      stamped: { instance: "db-ORIGINAL", timeline: 1 },
      seen: { instance, timeline: 1 },
      leases: 2,
      left: 0,
    }),
  ]);
});

test("break-glass ends everything a consumer holds, twice without harm", async () => {
  const held = [await stack.issue(), await stack.issue({}, "readwrite")];
  const clients = await Promise.all(held.map((credential) => stack.logIn(credential)));
  const first = await stack.operate({ action: "revoke", consumer: "user-service" });
  expect(first.answer).toEqual({ revoked: 2, quarantined: 0, unverified: 0, failed: [] });
  for (const client of clients)
    await expect(client.query("select 1")).rejects.toThrow(/terminat|not queryable/);
  const second = await stack.operate({ action: "revoke", consumer: "user-service" });
  expect(second.answer).toEqual({ revoked: 0, quarantined: 0, unverified: 0, failed: [] });
  const status = await stack.operate({ action: "status" });
  expect(status.answer).toEqual({ leases: [], foreign: 0 });
});
