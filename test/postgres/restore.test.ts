import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import type { LeaseRef } from "../../core/leases/lease.ts";
import type { LatchOutcome, LeaseDeps } from "../../core/leases/lease-ports.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { serverUser } from "../../local/postgres/postgres-binaries.ts";
import { askForOthers, Crash, failingAt } from "../faults/points.ts";
import { crashAndRestart, type OwnServer, startCluster } from "../support/cluster.ts";
import { type CopiedServer, copyOf, folderOf, onPort } from "../support/copied-server.ts";
import { eventually } from "../support/eventually.ts";
import { giveTable, LATCHED, leasesOf, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { type Alias, type Issuer, issuerOn, logIn, loginRefusal } from "../support/leases.ts";
import { provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const swept = ({ deps }: { readonly deps: LeaseDeps }) =>
  sweep(deps, { actor: "sweep", mayContinue: () => true });

/** What a superuser reads in the stamp. */
const stampOf = async (test: TestDatabase) =>
  (
    await runAs(
      test.superuser("mayfly"),
      `select instance, timeline from mayfly.stack where tag = '${test.tag}'`,
    )
  )[0];

const restoredIn = ({ audit }: Issuer) => audit.filter(({ event }) => event === "cluster.restored");

// restore_command: a recovery.signal then ends recovery at once, on the next timeline
let own: OwnServer;
beforeAll(async () => {
  own = await startCluster(["synchronous_commit=on", "restore_command=false"]);
});
afterAll(() => own.server.stop());

const fresh = () => provisioned({ cluster: own.cluster });

/** Recover to a point in time, in place. */
async function recover(database: TestDatabase): Promise<void> {
  const signal = join(await folderOf(database), "data", "recovery.signal");
  await own.server.shutDown();
  writeFileSync(signal, "");
  const { uid, gid } = serverUser();
  if (uid !== undefined && gid !== undefined) chownSync(signal, uid, gid);
  await own.server.restart();
  // logins are let in before recovery is over
  await eventually(async () => {
    const rows = await runAs(database.superuser("postgres"), "select pg_is_in_recovery() as still");
    return rows[0]?.still === false;
  });
}

interface Held {
  readonly credential: Credential;
  readonly oid: string;
}

describe("a copy of the server, started as another instance", () => {
  let original: TestDatabase;
  let copy: CopiedServer;
  let there: TestDatabase;
  let instance: Issuer;
  let held: readonly [Held, Held, Held];

  /** Three leases are live when the copy is taken; the first is revoked early, afterwards. */
  beforeAll(async () => {
    original = await fresh();
    instance = issuerOn(original);
    const hold = async (alias: Alias): Promise<Held> => {
      const credential = await instance.issue(alias, { ttlSeconds: 3_600 });
      return { credential, oid: await oidOf(original, credential.username) };
    };
    held = [await hold(ALIAS), await hold("user-service--readwrite"), await hold(ALIAS)];
    await giveTable(original, held[1].credential.username);
    const folder = await folderOf(original);
    await own.server.shutDown();
    const files = copyOf(own, folder);
    await own.server.restart();
    await instance.ask(ALIAS, { action: "revoke", leaseId: held[0].credential.leaseId });
    copy = await files.start();
    there = onPort(original, copy.cluster.port);
  });
  afterAll(async () => {
    await instance.close();
    await copy.stop();
  });

  const onCopy = ({ credential }: Held): Credential => ({
    ...credential,
    port: copy.cluster.port,
  });

  test("has a lease back that was revoked: this is what the stamp is for", async () => {
    const [stolen] = held;
    expect(await loginRefusal(original, stolen.credential)).toBe("28P01");
    expect(await loginRefusal(there, onCopy(stolen))).toBeUndefined();
  });

  test("loses every lease at the first sweep, due or not, with sessions and a receipt each", async () => {
    const sweeper = issuerOn(there);
    const session = await logIn(there, onCopy(held[2]));
    expect(await stampOf(there)).toEqual({
      instance: `127.0.0.1:${own.cluster.port}`,
      timeline: 1,
    });
    expect(await swept(sweeper)).toMatchObject({
      server: "other",
      live: 0,
      revoked: 2,
      quarantined: 1,
      left: 0,
    });
    await expect(session.query("select 1")).rejects.toThrow(/terminat|not queryable/);
    for (const [index, each] of held.entries())
      expect(await leftOf(there, onCopy(each), each.oid)).toEqual(index === 1 ? LATCHED : NOTHING);
    const seen = { instance: `127.0.0.1:${copy.cluster.port}`, timeline: 1 };
    expect(restoredIn(sweeper)).toEqual([
      {
        event: "cluster.restored",
        stamped: { instance: `127.0.0.1:${own.cluster.port}`, timeline: 1 },
        seen,
        leases: 3,
        left: 0,
      },
    ]);
    const ended = sweeper.audit.filter(({ event }) =>
      ["lease.revoked", "lease.quarantined"].includes(event),
    );
    expect(ended.map(({ event, actor, receipt }) => [event, actor, receipt])).toEqual(
      expect.arrayContaining([
        ["lease.revoked", "restore", expect.objectContaining({ state: "revoked" })],
        ["lease.quarantined", "restore", expect.objectContaining({ state: "quarantined" })],
      ]),
    );
    expect(sweeper.metrics).toContainEqual({ metric: "ServersRestored", value: 1 });
    expect(await stampOf(there)).toEqual(seen);
    await sweeper.close();
  });

  test("is this stack's from then on: a lease that is asked for again lives", async () => {
    const sweeper = issuerOn(there);
    const again = await sweeper.issue();
    expect(await swept(sweeper)).toMatchObject({ server: "same", live: 1, revoked: 0 });
    expect(restoredIn(sweeper)).toEqual([]);
    expect(await loginRefusal(there, again)).toBeUndefined();
    await sweeper.close();
  });

  test("leaves the original as it was, whose next sweep is quiet", async () => {
    expect(await swept(instance)).toMatchObject({ server: "same", live: 2, revoked: 0 });
    for (const { credential } of held.slice(1))
      expect(await loginRefusal(original, credential)).toBeUndefined();
  });

  test("loses every lease to a deployment that points at it, before any sweep", async () => {
    const { port } = copy.cluster;
    const sweeper = issuerOn(there);
    const { username } = await sweeper.issue();
    await original.provision(undefined, undefined, { port, serverId: "db-RESTORED" });
    expect(await leasesOf(there)).not.toContain(username);
    expect(original.audit).toContainEqual(
      expect.objectContaining({
        event: "cluster.restored",
        seen: { instance: "db-RESTORED", timeline: 1 },
      }),
    );
    expect(await stampOf(there)).toEqual({ instance: "db-RESTORED", timeline: 1 });
    await sweeper.close();
  });
});

test("a server that was recovered to a point in time, or promoted, is noticed by its timeline", async () => {
  const database = await fresh();
  const instance = issuerOn(database);
  const credential = await instance.issue();
  const oid = await oidOf(database, credential.username);
  const { timeline } = (await stampOf(database)) ?? {};
  await recover(database);
  expect(await loginRefusal(database, credential)).toBeUndefined();
  expect(await swept(instance)).toMatchObject({ server: "other", revoked: 1, live: 0, left: 0 });
  expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
  expect(await stampOf(database)).toMatchObject({ timeline: Number(timeline) + 1 });
  expect(await swept(instance)).toMatchObject({ server: "same", revoked: 0 });
  await instance.close();
});

test("a server that was restarted, or has crashed, is the same", async () => {
  const database = await fresh();
  const instance = issuerOn(database);
  const credential = await instance.issue();
  await own.server.shutDown();
  await own.server.restart();
  expect(await swept(instance)).toMatchObject({ server: "same", live: 1 });
  await crashAndRestart(own);
  for (let sweeps = 0; sweeps < 2; sweeps++)
    expect(await swept(instance)).toMatchObject({ server: "same", live: 1, revoked: 0 });
  expect(restoredIn(instance)).toEqual([]);
  expect(await loginRefusal(database, credential)).toBeUndefined();
  await instance.close();
});

describe("a sweep of another server that dies", () => {
  test("at any one call is done again, and the stamp moves last", async () => {
    const database = await fresh();
    const instance = issuerOn(database);
    let crashes = 0;
    for (const side of ["before", "after"] as const)
      for (let at = 1; at < 40; at++) {
        const [one, two] = [await instance.issue(), await instance.issue()];
        const serverId = `db-${side}-${at}`;
        const elsewhere = issuerOn(database, { serverId, scheduler: instance.scheduler });
        const { deps, calls } = failingAt(elsewhere.deps, at, side);
        const died = await swept({ deps }).then(
          () => false,
          (error: unknown) => error instanceof Crash,
        );
        const moved = (await stampOf(database))?.instance === serverId;
        const refusals = [await loginRefusal(database, one), await loginRefusal(database, two)];
        expect(moved && refusals.includes(undefined)).toBe(false);
        const server = moved ? "same" : "other";
        expect(await swept(elsewhere)).toMatchObject({ server, left: 0 });
        expect(await leasesOf(database)).toEqual([]);
        expect(await swept(elsewhere)).toMatchObject({ server: "same" });
        await elsewhere.close();
        if (died) crashes += 1;
        if (calls.length < at) break;
      }
    expect(crashes).toBeGreaterThan(4);
    await instance.close();
  });

  test("or has no time leaves the stamp, and the leases that it left to the next", async () => {
    const database = await fresh();
    const instance = issuerOn(database, { serverId: "db-OTHER" });
    const issued = [await instance.issue(), await instance.issue(), await instance.issue()];
    const none = await sweep(instance.deps, { actor: "sweep", mayContinue: () => false });
    expect(none).toMatchObject({ server: "other", revoked: 0, left: 3 });
    expect(await stampOf(database)).not.toMatchObject({ instance: "db-OTHER" });
    const { engine } = instance.deps;
    const latch: typeof engine.latch = (leases, options) =>
      askForOthers<LeaseRef, LatchOutcome>(
        leases,
        issued[1]?.username,
        { kind: "failed", step: "latch", code: "XX000", passes: true },
        (others) => engine.latch(others, options),
      );
    const some = await swept({ deps: { ...instance.deps, engine: { ...engine, latch } } });
    expect(some).toMatchObject({ server: "other", revoked: 2, left: 1 });
    expect(await stampOf(database)).not.toMatchObject({ instance: "db-OTHER" });
    expect(await swept(instance)).toMatchObject({ server: "other", revoked: 1, left: 0 });
    expect(await swept(instance)).toMatchObject({ server: "same", revoked: 0 });
    await instance.close();
  });
});

test("a stamp of an earlier version holds no server: nothing is revoked, and a deployment writes it", async () => {
  const database = await fresh();
  const instance = issuerOn(database);
  const credential = await instance.issue();
  await runAs(
    database.superuser("mayfly"),
    `drop policy own on mayfly.stack; alter table mayfly.stack disable row level security;
     alter table mayfly.stack drop column instance, drop column timeline`,
  );
  expect(await swept(instance)).toMatchObject({ server: "unknown", live: 1 });
  await database.provision();
  expect(await stampOf(database)).toMatchObject({ instance: `127.0.0.1:${own.cluster.port}` });
  expect(await swept(instance)).toMatchObject({ server: "same", live: 1 });
  expect(await loginRefusal(database, credential)).toBeUndefined();
  await instance.close();
});

test("issuer logins see and move the server of their own tag alone", async () => {
  const [database, other] = [await fresh(), await fresh()];
  const login = await database.issuerLogin("b");
  expect(await runAs(login, "select tag from mayfly.stack")).toEqual([{ tag: database.tag }]);
  await runAs(login, "update mayfly.stack set instance = 'moved'");
  expect(await stampOf(other)).not.toMatchObject({ instance: "moved" });
  expect(await stampOf(database)).toMatchObject({ instance: "moved" });
  for (const statement of [
    "select id from mayfly.stack",
    "update mayfly.stack set id = 'mine'",
    `update mayfly.stack set tag = 'aaaa'`,
    "insert into mayfly.stack (tag, id, resource) values ('aaaa', 'x', 'y')",
    "delete from mayfly.stack",
  ])
    await expect(runAs(login, statement)).rejects.toMatchObject({ code: "42501" });
  const janitor = await database.janitor();
  await expect(runAs({ ...janitor, database: "mayfly" }, "select 1")).rejects.toMatchObject({
    code: "42501",
  });
});

test("a sweep looks at the server in one round trip, and at what else there may be in three", async () => {
  const database = await fresh();
  const instance = issuerOn(database);
  await swept(instance);
  const before = instance.roundTrips();
  await swept(instance);
  // the server, a page of leases, sessions without a role and strangers in groups, what groups own,
  // watched users
  expect(instance.roundTrips() - before).toBe(5);
  await instance.close();
});
