import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { groupRoleName } from "../../core/names.ts";
import { firstRow, LATCHED, leftOf, majorOf, NOTHING, oidOf } from "../support/evidence.ts";
import {
  type Issuer,
  issuer,
  logIn,
  loginRefusal,
  revokeLife,
  sqlStateFrom,
} from "../support/leases.ts";
import { runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";
import { storm } from "../support/storm.ts";

const ALIAS = "user-service--readwrite";
/** What the driver says of a connection that the server has ended. */
const ENDED = /terminat|not queryable|connection/i;

let lease: Issuer & { readonly test: TestDatabase };
let second: string;
beforeAll(async () => {
  lease = await issuer();
  second = `${lease.test.database}_two`;
  await runAs(lease.test.admin("postgres"), `create database ${second}`);
  const group = groupRoleName(lease.test.tag, "readwrite");
  for (const database of [lease.test.database, second])
    await firstRow(lease.test, `grant create on schema public to ${group}`, database);
});
afterAll(() => lease.close());

/** A lease that has done `sql` in the application database, and `elsewhere` in the second. */
async function leaseThatRan(sql: string, elsewhere?: string) {
  const credential = await lease.issue(ALIAS);
  const oid = await oidOf(lease.test, credential.username);
  const login = lease.test.as(credential.username, credential.password);
  await runAs(login, sql);
  if (elsewhere !== undefined) await runAs({ ...login, database: second }, elsewhere);
  return { credential, oid };
}

const revoke = ({ leaseId }: Credential): Promise<Receipt> =>
  lease.ask(ALIAS, { action: "revoke", leaseId }) as Promise<Receipt>;

const swept = () => sweep(lease.deps, { actor: "sweep", mayContinue: () => true });

describe("a lease that owns something", () => {
  test("a trigger function is named first, and that it runs on: until it is dropped it does", async () => {
    const { superuser, owner, database } = lease.test;
    const group = groupRoleName(lease.test.tag, "readwrite");
    await runAs(superuser(), `grant trigger on all tables in schema public to ${group}`);
    const { credential, oid } = await leaseThatRan(
      `create table public.aside (id int);
       create function public.bait() returns trigger language plpgsql as
         $$ begin new.customer := 'changed'; return new; end $$;
       create trigger bait before insert on public.orders for each row execute function public.bait()`,
    );
    const receipt = await revoke(credential);
    expect(receipt.state).toBe("quarantined");
    expect(receipt.blockers[0]).toEqual({
      database,
      catalog: "pg_proc",
      kind: "owner",
      count: 1,
      why: "callers of this function still run it; a trigger function runs as the role that writes the table",
    });
    expect(receipt.blockers.slice(1).map(({ why }) => why)).not.toContain(receipt.blockers[0]?.why);
    const inserted = () =>
      runAs(
        superuser(),
        `set role ${owner}; insert into public.orders (customer, total_cents) values ('eve', 1)
         returning customer`,
      );
    expect(await inserted()).toEqual([{ customer: "changed" }]);
    await runAs(superuser(), "drop function public.bait() cascade; drop table public.aside");
    expect(await inserted()).toEqual([{ customer: "eve" }]);
    await runAs(superuser(), `revoke trigger on all tables in schema public from ${group}`);
    await swept();
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });

  test("in two databases is quarantined with all of it named, and is of no use any more", async () => {
    const { database } = lease.test;
    const { credential, oid } = await leaseThatRan(
      `create table public.mine (id int); create function public.f() returns int language sql as 'select 1';
       alter table public.mine enable row level security;
       alter default privileges grant select on tables to public`,
      "create table public.mine (id int); select lo_create(0)",
    );
    const session = await logIn(lease.test, credential);
    const receipt = await revoke(credential);
    expect(receipt).toMatchObject({ state: "quarantined", servers: [{ sessionsEnded: 1 }] });
    expect(receipt.droppedAt).toBeUndefined();
    const named = receipt.blockers.map((each) => `${each.database} ${each.catalog} ${each.kind}`);
    expect(named).toEqual(
      expect.arrayContaining([
        `${database} pg_class owner`,
        `${database} pg_proc owner`,
        `${second} pg_class owner`,
      ]),
    );
    // beside it, what may be cleared is
    expect(receipt.cleared).toEqual([
      { database, catalog: "pg_default_acl", count: 1 },
      { database: second, catalog: "pg_largeobject", count: 1 },
    ]);
    expect(named.filter((each) => /pg_default_acl|pg_largeobject/.test(each))).toEqual([]);
    expect(await leftOf(lease.test, credential, oid)).toEqual(LATCHED);
    await expect(session.query("select 1")).rejects.toThrow(ENDED);
    const leaseId = credential.leaseId;
    await expect(lease.ask(ALIAS, { action: "renew", leaseId })).rejects.toThrow("revoked");
    const view = await lease.ask(ALIAS, { action: "lookup", leaseId });
    expect(view).toMatchObject({ state: "quarantined", expiresAt: credential.expiresAt });
    expect((await swept()).quarantined).toBe(1);

    for (const name of [database, second])
      await firstRow(
        lease.test,
        `grant "${credential.username}" to current_user; drop owned by "${credential.username}" cascade`,
        name,
      );
    expect(await swept()).toMatchObject({ revoked: 1, quarantined: 0 });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });

  test.each([
    ["a table", "create table public.t1 (id int)", "pg_class owner"],
    ["a schema of its own", "select 1", "pg_namespace owner"],
    [
      "a policy that names it",
      `create table public.t2 (id int);
       create policy p on public.t2 to current_user using (true)`,
      "pg_policy policy",
    ],
  ])("(%s) stays latched, and is revoked as soon as that is gone", async (_, made, blocker) => {
    const { credential, oid } = await leaseThatRan(made);
    const { username } = credential;
    if (blocker.startsWith("pg_namespace"))
      await firstRow(lease.test, `create schema authorization "${username}"`);
    const receipt = await revoke(credential);
    const named = receipt.blockers.map(({ catalog, kind }) => `${catalog} ${kind}`);
    expect(receipt.state).toBe("quarantined");
    expect(named).toContain(blocker);
    expect(await leftOf(lease.test, credential, oid)).toEqual(LATCHED);
    await firstRow(lease.test, `drop owned by "${username}" cascade`);
    expect(await revoke(credential)).toMatchObject({ state: "revoked", blockers: [] });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });

  test("granted by the owner of a table is quarantined: only the owner can take it back", async () => {
    const { owner } = lease.test;
    const { credential, oid } = await leaseThatRan("select 1");
    const { username } = credential;
    await firstRow(lease.test, `set role ${owner}; grant select on public.orders to "${username}"`);
    expect(await revoke(credential)).toMatchObject({
      state: "quarantined",
      blockers: [
        { database: lease.test.database, catalog: "pg_class", kind: "privilege", count: 1 },
      ],
    });
    expect(await leftOf(lease.test, credential, oid)).toEqual(LATCHED);
    await firstRow(lease.test, `set role ${owner}; revoke all on public.orders from "${username}"`);
    expect(await swept()).toMatchObject({ revoked: 1 });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });

  test("by another lease's grant on a temporary table is revoked once that session ends (C8)", async () => {
    const a = await lease.issue(ALIAS);
    const { credential: b, oid } = await leaseThatRan("select 1");
    const session = await logIn(lease.test, a);
    await session.query(`create temp table tt (id int); grant select on tt to "${b.username}"`);
    expect(await revoke(b)).toMatchObject({
      state: "quarantined",
      blockers: [{ database: lease.test.database, catalog: "pg_class", kind: "privilege" }],
    });
    expect(await leftOf(lease.test, b, oid)).toEqual(LATCHED);
    expect(await revoke(a)).toMatchObject({ state: "revoked" });
    expect(await swept()).toMatchObject({ revoked: 1, quarantined: 0 });
    expect(await leftOf(lease.test, b, oid)).toEqual(NOTHING);
    await session.end().catch(() => {});
  });

  test("by an uncommitted grant of another lease is quarantined for the lock, then revoked (C8)", async () => {
    const a = await lease.issue(ALIAS);
    const { credential: b, oid } = await leaseThatRan("select 1");
    const session = await logIn(lease.test, a);
    await session.query(
      `begin; create temp table tt (id int); grant select on tt to "${b.username}"`,
    );
    expect(await revoke(b)).toMatchObject({
      state: "quarantined",
      blockers: [{ database: "cluster", catalog: "pg_authid", kind: "lock", count: 1 }],
    });
    expect(await leftOf(lease.test, b, oid)).toEqual(LATCHED);
    await session.query("rollback");
    await session.end();
    expect(await revoke(b)).toMatchObject({ state: "revoked" });
    expect(await leftOf(lease.test, b, oid)).toEqual(NOTHING);
  });

  test("in a session's temporary tables only is revoked: they end with the session", async () => {
    const credential = await lease.issue(ALIAS);
    const oid = await oidOf(lease.test, credential.username);
    const session = await logIn(lease.test, credential);
    await session.query("create temp table tt (id int)");
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });
});

describe("a lease that resists", () => {
  test("by holding its own row in a transaction is revoked, its session ended first", async () => {
    const credential = await lease.issue(ALIAS);
    const oid = await oidOf(lease.test, credential.username);
    const session = await logIn(lease.test, credential);
    await session.query("begin; alter role current_user password 'mine now'");
    const started = performance.now();
    expect(await revoke(credential)).toMatchObject({
      state: "revoked",
      servers: [{ sessionsEnded: 1, stragglersEnded: 0, sessionsRemaining: 0 }],
    });
    expect(performance.now() - started).toBeLessThan(TEST_LIMITS.lock);
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
    await expect(session.query("commit")).rejects.toThrow(ENDED);
  });

  test("by holding its row again from every new session is revoked all the same", async () => {
    const credential = await lease.issue(ALIAS);
    const oid = await oidOf(lease.test, credential.username);
    const around = storm(
      lease.test,
      credential,
      6,
      "begin; alter role current_user password 'mine'",
    );
    await around.raging;
    const receipt = await revoke(credential);
    await around.stop();
    expect(receipt).toMatchObject({ state: "revoked" });
    const scheduled = { leaseId: credential.leaseId, incarnation: oid };
    await revokeLife(lease.deps, scheduled, { onlyIfDue: true, actor: "schedule" });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
    await around.clear();
  });

  test("with locks frees them: advisory locks and rows in an open transaction", async () => {
    const credential = await lease.issue(ALIAS);
    const session = await logIn(lease.test, credential);
    await session.query("select pg_advisory_lock(42)");
    await session.query("begin; update public.orders set customer = customer");
    await revoke(credential);
    const { free } = await firstRow(lease.test, "select pg_try_advisory_lock(42) as free");
    expect(free).toBe(true);
    const rows =
      "set lock_timeout = '1s'; update public.orders set customer = customer returning 1";
    expect(await sqlStateFrom(firstRow(lease.test, rows))).toBeUndefined();
  });

  test("by setting defaults for its own sessions leaves none behind", async () => {
    const { credential, oid } = await leaseThatRan(
      "alter role current_user set search_path = 'evil'; alter role current_user set statement_timeout = 1",
    );
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
    const { settings } = await firstRow(
      lease.test,
      `select count(*)::int as settings from pg_db_role_setting where setrole = ${oid}`,
    );
    expect(settings).toBe(0);
  });

  test("by a new password of its own is refused like any other once it is revoked", async () => {
    const { credential, oid } = await leaseThatRan("alter role current_user password 'chosen'");
    const mine = { ...credential, password: "chosen" };
    expect(await loginRefusal(lease.test, mine)).toBeUndefined();
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
    expect(await leftOf(lease.test, mine, oid)).toEqual(NOTHING);
  });

  test("by granting itself to others, where that is possible, leaves nobody with its rights (C7)", async () => {
    const credential = await lease.issue(ALIAS);
    const { username } = credential;
    const oid = await oidOf(lease.test, username);
    const other = await lease.issue("reporting--readonly");
    const session = await logIn(lease.test, credential);
    await session.query("create table public.kept (id int)"); // so that the role stays
    const granted = await sqlStateFrom(session.query(`grant "${username}" to "${other.username}"`));
    // Until PostgreSQL 14 every role could grant itself.
    const refused = (await majorOf(lease.test)) >= 15;
    expect(granted).toBe(refused ? "42501" : undefined);
    const thief = await logIn(lease.test, other);
    const write = () => sqlStateFrom(thief.query("update public.orders set customer = customer"));
    expect(await write()).toBe(refused ? "42501" : undefined);
    expect(await revoke(credential)).toMatchObject({ state: "quarantined" });
    expect(await write()).toBe("42501");
    expect(await leftOf(lease.test, credential, oid)).toEqual(LATCHED);
    await thief.end();
    await firstRow(lease.test, `drop owned by "${username}" cascade`);
  });

  test("because a DBA granted it to somebody has no rights left to share, and is reported (C7)", async () => {
    const { credential, oid } = await leaseThatRan("create table public.kept (id int)");
    const { username } = credential;
    const other = await lease.issue("reporting--readonly");
    await firstRow(lease.test, `grant "${username}" to "${other.username}"`);
    const thief = await logIn(lease.test, other);
    const write = () => sqlStateFrom(thief.query("update public.orders set customer = customer"));
    expect(await write()).toBeUndefined();
    const receipt = await revoke(credential);
    expect(receipt.state).toBe("quarantined");
    expect(await write()).toBe("42501");
    // From PostgreSQL 16 on, only the grantor may revoke: the superuser here.
    const memberships = (await majorOf(lease.test)) >= 16 ? 1 : 0;
    expect(await leftOf(lease.test, credential, oid)).toEqual({ ...LATCHED, memberships });
    expect(receipt.blockers.filter(({ kind }) => kind === "membership")).toHaveLength(memberships);
    await thief.end();
    await firstRow(lease.test, `drop owned by "${username}" cascade`);
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
    expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  });
});

test("a session that slips in between the last look and the DROP is ended after it, by its OID", async () => {
  const credential = await lease.issue(ALIAS);
  const { username, leaseId } = credential;
  const oid = await oidOf(lease.test, username);
  const { engine } = lease.deps;
  const slipIn: typeof engine.drop = async (leases) => {
    // As a login that passed the server's checks before the latch, and shows only now.
    const open = "login password 'late' connection limit -1 valid until 'infinity'";
    await firstRow(lease.test, `alter role "${username}" ${open}`);
    await logIn(lease.test, { ...credential, password: "late" });
    await firstRow(lease.test, `alter role "${username}" nologin`);
    return engine.drop(leases);
  };
  const deps = { ...lease.deps, engine: { ...engine, drop: slipIn } };
  const options = { onlyIfDue: false, actor: "test" };
  expect(await revokeLease(deps, parseLeaseId(leaseId), options)).toMatchObject({
    state: "revoked",
    servers: [{ sessionsEnded: 0, stragglersEnded: 1, sessionsRemaining: 0 }],
  });
  expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
});

test("the naive way, DROP ROLE alone, leaves sessions that read on: why there are two phases", async () => {
  const credential = await lease.issue(ALIAS);
  const oid = await oidOf(lease.test, credential.username);
  const session = await logIn(lease.test, credential);
  await session.query("begin; select count(*) from public.orders");
  await firstRow(lease.test, `drop role "${credential.username}"`);
  expect(await sqlStateFrom(session.query("select * from pg_catalog.pg_database"))).toBeUndefined();
  expect(await leftOf(lease.test, credential, oid)).toMatchObject({ roles: 0, sessions: 1 });

  // What the lease's schedule does then: it knows the OID, and ends what has no role any more.
  const scheduled = { leaseId: credential.leaseId, incarnation: oid };
  const receipt = await revokeLife(lease.deps, scheduled, { onlyIfDue: true, actor: "schedule" });
  expect(receipt).toMatchObject({ state: "gone", servers: [{ stragglersEnded: 1 }] });
  expect(lease.metrics).toContainEqual({ metric: "StragglersEnded", value: 1 });
  expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
});
