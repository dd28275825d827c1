import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { type SweepReport, sweep } from "../../core/leases/operation/sweep.ts";
import { viewWatched } from "../../core/leases/operation/watch.ts";
import { REPLICATION_PATIENCE } from "../../core/leases/readers.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { lookUpLease } from "../../core/leases/requests/lookup.ts";
import { type Instant, seconds } from "../../core/time.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { type ReaderConnections, readerConnections } from "../../lambda/postgres/leases/readers.ts";
import { eventually } from "../support/eventually.ts";
import { majorOf, oidOf } from "../support/evidence.ts";
import { type Issuer, issuerOn, logIn, loginRefusal, revokeLife } from "../support/leases.ts";
import { ownReaders } from "../support/own-readers.ts";
import { provisioned, runAs, type TestDatabase, unprovisioned } from "../support/provisioned.ts";
import { stormOf } from "../support/storm.ts";

const own = ownReaders();
/** What the driver says of a connection that the server has ended. */
const ENDED = /terminat|not queryable|connection/i;
const LIMITS = { connect: seconds(3), statement: seconds(5), lock: seconds(2) };

const time = {
  now: () => Date.now() as Instant,
  wait: async (length: number) => {
    await setTimeout(length);
  },
};

let database: TestDatabase;
let lease: Issuer;
let readers: ReaderConnections;

beforeAll(async () => {
  const { cluster, standby } = own();
  database = await provisioned({ cluster });
  readers = readersAt(standby.host, standby.port);
  lease = issuerOn(database, { readers });
  await own().caughtUp();
});
afterEach(() =>
  own()
    .resume()
    .catch(() => {}),
);
afterAll(async () => {
  await readers?.close();
  await lease?.close();
});

/** Readers as a function composes them, of which there is one. */
const readersAt = (host: string, port: number): ReaderConnections =>
  readerConnections({
    addresses: async () => [{ host, port }],
    login: () => database.issuerLogin(),
    ssl: () => database.admin().ssl,
    open: (login) => connect(login, LIMITS),
    tag: database.tag,
    time,
    random: Math.random,
  });

const revoke = ({ leaseId }: Credential): Promise<Receipt> =>
  lease.ask("user-service--readonly", { action: "revoke", leaseId }) as Promise<Receipt>;
const swept = (): Promise<SweepReport> =>
  sweep(lease.deps, { actor: "sweep", mayContinue: () => true });

/** A lease that the standby has, and a session of it there. */
async function heldOnStandby() {
  const credential = await lease.issue();
  await own().caughtUp();
  const session = await own().logIn(credential);
  const [row] = await own().ask(
    `select oid from pg_roles where rolname = '${credential.username}'`,
  );
  return { credential, session, oid: String(row?.oid) };
}

const sessionsOf = (oid: string): Promise<unknown[]> =>
  own().ask(`select pid from pg_stat_activity where usesysid = ${oid}`);

test("a lease's session on a reader is ended, and the receipt says where the latch was read", async () => {
  const { credential, session, oid } = await heldOnStandby();
  const id = parseLeaseId(credential.leaseId);
  expect(await lookUpLease(lease.deps, id)).toMatchObject({ state: "live", sessions: 1 });
  const receipt = await revoke(credential);
  const major = await majorOf(database);
  const known = { address: expect.any(String), since: expect.any(String) };
  expect(receipt).toMatchObject({ state: "revoked", incarnation: oid, blockers: [] });
  expect(receipt.servers).toEqual([
    {
      server: `${own().writer.host}:${own().writer.port}`,
      sessionsEnded: 0,
      stragglersEnded: 0,
      sessionsRemaining: 0,
    },
    {
      server: own().server,
      sessionsEnded: 1,
      stragglersEnded: 0,
      sessionsRemaining: 0,
      latchSeen: true,
      // from 16 on not every administrator may let somebody see whose sessions there are on a reader
      ...(major < 16 && { sessions: [known] }),
    },
  ]);
  await expect(session.query("select 1")).rejects.toThrow(ENDED);
  expect(await sessionsOf(oid)).toEqual([]);
  await expect(own().logIn(credential)).rejects.toMatchObject({ code: "28P01" });
});

test("without a look at the reader its session survives the DROP: what the looks are for", async () => {
  const { credential, session } = await heldOnStandby();
  const blind = issuerOn(database);
  const { leaseId } = credential;
  const receipt = await blind.ask("user-service--readonly", { action: "revoke", leaseId });
  await blind.close();
  expect(receipt).toMatchObject({ state: "revoked" });
  await own().caughtUp();
  expect((await session.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
  await session.end();
});

test("a session that outlived the DROP on a reader is reported, and found by its OID", async () => {
  const { credential, session, oid } = await heldOnStandby();
  const blind = issuerOn(database);
  const { leaseId } = credential;
  await blind.ask("user-service--readonly", { action: "revoke", leaseId });
  await blind.close();
  await own().caughtUp();
  await eventually(async () => {
    const [reader] = await readers.list();
    return ((await reader?.sessionsWithoutRole()) ?? []).includes(oid);
  });
  // as the recheck's schedule does
  const scheduled = { leaseId, incarnation: oid };
  const receipt = await revokeLife(lease.deps, scheduled, { onlyIfDue: true, actor: "schedule" });
  expect(receipt).toMatchObject({ state: "gone" });
  expect(receipt.servers[1]).toMatchObject({ server: own().server, stragglersEnded: 1 });
  await expect(session.query("select 1")).rejects.toThrow(ENDED);
});

test("while replay is paused a lease is unverified: latched, kept, and finished by a later sweep", async () => {
  const { credential, session, oid } = await heldOnStandby();
  await own().pause();
  const receipt = await revoke(credential);
  expect(receipt).toMatchObject({
    state: "unverified",
    blockers: [{ database: own().server, catalog: "roles", kind: "server", count: 1 }],
  });
  expect(receipt.servers[1]).toMatchObject({ latchSeen: false, sessionsEnded: 1 });
  expect(receipt.servers[1]?.problem).toMatch(/has not replayed the writer's commit/);
  expect(receipt.droppedAt).toBeUndefined();
  await expect(session.query("select 1")).rejects.toThrow(ENDED);
  // the door that the latch has not shut yet: this is why the role is kept
  const again = await own().logIn(credential);
  expect(await loginRefusal(database, credential)).toMatch(/^28/);
  expect(await lookUpLease(lease.deps, parseLeaseId(credential.leaseId))).toMatchObject({
    state: "unverified",
    sessions: 1,
  });
  expect(await swept()).toMatchObject({ unverified: 1, revoked: 0, quarantined: 0 });
  const before = [...lease.scheduler.schedules.keys()];
  await own().resume();
  await own().caughtUp();
  expect(await swept()).toMatchObject({ unverified: 0, revoked: 1, quarantined: 0 });
  await expect(again.query("select 1")).rejects.toThrow(ENDED);
  expect(await sessionsOf(oid)).toEqual([]);
  // the latch came late, so a login may still be under way: a second look is due, after the DROP
  const made = [...lease.scheduler.schedules.keys()].filter((name) => !before.includes(name));
  expect(made).toEqual([expect.stringMatching(/-recheck$/)]);
  expect(lease.audit.filter(({ event }) => event === "lease.unverified")).toHaveLength(2);
  expect(lease.metrics.filter(({ metric }) => metric === "UnverifiedLeases").at(-2)?.value).toBe(1);
});

test("a role that the reader has not heard of yet is not taken for one that is gone", async () => {
  await own().pause();
  const credential = await lease.issue();
  expect(await revoke(credential)).toMatchObject({ state: "unverified" });
  await own().resume();
  await own().caughtUp();
  expect(await swept()).toMatchObject({ unverified: 0, revoked: 1 });
});

test("several leases wait once for a reader that lags, not each", async () => {
  const held = [await lease.issue(), await lease.issue(), await lease.issue()];
  await own().caughtUp();
  await own().pause();
  for (const credential of held) await revoke(credential);
  const wait = vi.spyOn(lease.deps.time, "wait");
  expect(await swept()).toMatchObject({ unverified: 3 });
  const waited = wait.mock.calls.reduce((sum, [length]) => sum + length, 0);
  wait.mockRestore();
  expect(waited).toBeGreaterThan(0);
  expect(waited).toBeLessThan(1.5 * REPLICATION_PATIENCE);
  await own().resume();
  await own().caughtUp();
  expect(await swept()).toMatchObject({ unverified: 0, revoked: 3 });
});

test("a login storm on a reader during a revocation leaves no session there", async () => {
  const credential = await lease.issue();
  await own().caughtUp();
  const raging = stormOf(() => own().logIn(credential), 4);
  await raging.raging;
  const receipt = await revoke(credential);
  const { logins } = await raging.stop();
  expect(logins).toBeGreaterThanOrEqual(4);
  expect(receipt).toMatchObject({ state: "revoked", blockers: [] });
  expect(receipt.servers[1]?.sessionsEnded).toBeGreaterThan(0);
  expect(await sessionsOf(receipt.incarnation ?? "0")).toEqual([]);
  await raging.clear();
});

test("on a server that replays no other, and has no latch, nothing is ended", async () => {
  const { host, port } = own().writer;
  const other = readersAt(host, port);
  const credential = await lease.issue();
  const session = await logIn(database, credential);
  const oid = await oidOf(database, credential.username);
  const [reader] = await other.list();
  const { username } = credential;
  const looked = await reader?.look([{ username, incarnation: oid }]);
  expect(looked).toEqual([{ replays: false, role: "open", ended: 0, remaining: 0 }]);
  expect((await session.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
  await other.close();
  await revoke(credential);
  await expect(session.query("select 1")).rejects.toThrow(ENDED);
});

test("a watched user is seen on the reader, where the writer does not see it", async () => {
  const { tag, superuser } = database;
  const [username, password] = [`app_${tag}_static`, "static"];
  await runAs(
    superuser("mayfly"),
    `create role ${username} login password '${password}'; insert into mf_${tag}.watched values ('${username}')`,
  );
  const watched = async () => {
    const view = (await viewWatched(lease.deps))[0];
    return view?.servers.map(({ server, state, sessions }) => ({ server, state, sessions }));
  };
  const writer = { server: `${database.admin().host}:${database.admin().port}` };
  await own().caughtUp();
  const session = await own().logIn({ dbname: database.database, username, password });
  expect((await swept()).watched).toEqual({ users: 1, seen: 1 });
  expect(await watched()).toEqual(
    [
      { ...writer, state: "looked", sessions: 0 },
      { server: own().server, state: "looked", sessions: 1 },
    ].toSorted((a, b) => (a.server < b.server ? -1 : 1)),
  );
  await session.end();
  await runAs(superuser("mayfly"), `delete from mf_${tag}.watched; drop role ${username}`);
});

test("a removal that cannot look at a reader keeps the lease latched, and says so", async () => {
  const error = new DatabaseUnavailableError("it is away; wait and retry");
  const { cluster } = own();
  const removed = await unprovisioned({
    cluster,
    readers: (login) =>
      readerConnections({
        addresses: async () => [{ server: "away", error }],
        login,
        ssl: () => removed.admin().ssl,
        open: (to) => connect(to, LIMITS),
        tag: removed.tag,
        time,
        random: Math.random,
      }),
  });
  await removed.provision();
  const other = issuerOn(removed);
  const credential = await other.issue();
  await other.close();
  await own().caughtUp();
  const session = await own().logIn(credential);
  await removed.remove();
  expect(removed.warnings.join("\n")).toMatch(/a reader could not be looked at/);
  expect(removed.warnings.join("\n")).toMatch(/issuer roles are kept/);
  expect(await loginRefusal(removed, credential)).toMatch(/^28/);
  const roles = `select 1 from pg_roles where rolname = '${credential.username}'`;
  expect(await runAs(removed.superuser(), roles)).toHaveLength(1);
  // nobody looks again once the stack is gone: this is what is said
  expect((await session.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
  await session.end();
});

test("a reader that is down leaves leases unverified within seconds, and revoked once it is back", async () => {
  const credentials = [await lease.issue(), await lease.issue()];
  await own().caughtUp();
  await own().standby.crash();
  const start = Date.now();
  for (const credential of credentials) {
    const receipt = await revoke(credential);
    expect(receipt).toMatchObject({
      state: "unverified",
      blockers: [{ database: own().server, catalog: "sessions", kind: "server", count: 1 }],
    });
    expect(receipt.servers[1]?.problem).toMatch(/ECONNREFUSED|connection lost/);
    expect(await loginRefusal(database, credential)).toMatch(/^28/);
  }
  expect(await swept()).toMatchObject({
    unverified: 2,
    unseen: [{ server: own().server, reason: expect.any(String) }],
  });
  expect(Date.now() - start).toBeLessThan(60_000);
  await eventually(
    () =>
      own()
        .standby.restart()
        .then(() => true),
    { every: 100 },
  );
  await own().caughtUp();
  expect(await swept()).toMatchObject({ unverified: 0, revoked: 2 });
  await own().caughtUp();
  for (const { username } of credentials)
    expect(await own().ask(`select 1 from pg_roles where rolname = '${username}'`)).toEqual([]);
});
