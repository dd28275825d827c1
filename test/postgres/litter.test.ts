import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import type { LeaseRef } from "../../core/leases/lease.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import type { Janitor, LeaseDeps } from "../../core/leases/lease-ports.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { revokeLease, revokeMany } from "../../core/leases/revocation/revoke.ts";
import { janitorName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import type { Instant } from "../../core/time.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { postgresJanitor } from "../../lambda/postgres/leases/janitor.ts";
import { giveTable, LATCHED, leasesOf, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { type Issuer, issuer, logIn } from "../support/leases.ts";
import { runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer();
});
afterAll(() => lease.close());

const byHand = { onlyIfDue: false, actor: "user-service" };
const sweeping = { actor: "sweep", mayContinue: () => true };

/** A read-only lease that has left something. */
async function litterer(...statements: readonly string[]): Promise<Credential & { oid: string }> {
  const credential = await lease.issue();
  const session = await logIn(lease.test, credential);
  for (const statement of statements) await session.query(statement);
  await session.end();
  return { ...credential, oid: await oidOf(lease.test, credential.username) };
}

const revoke = (credential: Credential, changes: Partial<LeaseDeps> = {}) =>
  revokeLease({ ...lease.deps, ...changes }, parseLeaseId(credential.leaseId), byHand);

const cleared = (catalog: string, count: number, database = lease.test.database) => ({
  database,
  catalog,
  count,
});

const refsOf = async (credentials: readonly Credential[]) => {
  const refs: LeaseRef[] = [];
  for (const { username } of credentials) {
    const { role } = await lease.deps.engine.look(username);
    if (role?.kind === "lease") refs.push(role.lease);
  }
  return refs;
};

const isLent = async (username: string): Promise<boolean> => {
  const rows = await runAs(
    lease.test.superuser(),
    `select from pg_auth_members m join pg_roles r on r.oid = m.roleid
     join pg_roles j on j.oid = m.member
     where r.rolname = '${username}' and j.rolname = '${janitorName(lease.test.tag)}'`,
  );
  return rows.length > 0;
};

const defaultsLeft = () => runAs(lease.test.superuser(), "select defaclrole from pg_default_acl");

test("a large object that a read-only lease made is removed, and stands in the receipt", async () => {
  const credential = await litterer("select lo_create(0)");
  const receipt = await revoke(credential);
  expect(receipt).toMatchObject({
    state: "revoked",
    blockers: [],
    cleared: [cleared("pg_largeobject", 1)],
  });
  expect(await leftOf(lease.test, credential, credential.oid)).toEqual(NOTHING);
});

test("more large objects than go together are removed in one revocation", async () => {
  const credential = await litterer("select count(lo_create(0)) from generate_series(1, 1201)");
  expect(await revoke(credential)).toMatchObject({
    state: "revoked",
    cleared: [cleared("pg_largeobject", 1_201)],
  });
});

describe("default privileges that a lease has set are removed", () => {
  test.each([
    ["for everybody", ["grant select on tables to public"]],
    ["for itself, less than it had", ["revoke all on tables from current_user"]],
    [
      "with the right to pass them on",
      ["grant all on sequences to current_user with grant option"],
    ],
    ["of functions, taken from everybody", ["revoke execute on functions from public"]],
    [
      "of types, taken from everybody and itself",
      ["revoke all on types from public", "revoke all on types from current_user"],
    ],
    ["of schemas", ["grant usage on schemas to public"]],
    ["in one schema", ["in schema public grant insert on tables to public"]],
    [
      "in one schema, for itself and more",
      [
        "in schema public grant all on functions to current_user with grant option",
        "in schema public grant usage on types to public",
      ],
    ],
  ])("%s", async (_, changes) => {
    const before = await defaultsLeft();
    const credential = await litterer(
      ...changes.map((change) => `alter default privileges ${change}`),
    );
    expect((await defaultsLeft()).length).toBeGreaterThan(before.length);
    const receipt = await revoke(credential);
    expect(receipt).toMatchObject({ state: "revoked", blockers: [] });
    expect(receipt.cleared).toMatchObject([{ catalog: "pg_default_acl" }]);
    expect(await defaultsLeft()).toEqual(before);
    expect(await leftOf(lease.test, credential, credential.oid)).toEqual(NOTHING);
  });

  test("also those that concern another dynamic role", async () => {
    const group = `mf_${lease.test.tag}_group_readwrite`;
    const credential = await litterer(
      `alter default privileges grant select on tables to ${group}`,
    );
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
    expect(await lease.test.provision()).toMatchObject({ rolesMade: 0 });
  });
});

test("what a lease has left in several databases is removed in each", async () => {
  const second = `${lease.test.database}_2`;
  await runAs(lease.test.superuser(), `create database ${second}`);
  const credential = await litterer("select lo_create(0)");
  await runAs(
    lease.test.as(credential.username, credential.password, second),
    "select lo_create(0); alter default privileges grant select on tables to public",
  );
  const receipt = await revoke(credential);
  expect(receipt.state).toBe("revoked");
  expect(receipt.cleared).toHaveLength(3);
  expect(receipt.cleared).toEqual(
    expect.arrayContaining([
      cleared("pg_largeobject", 1),
      cleared("pg_largeobject", 1, second),
      cleared("pg_default_acl", 1, second),
    ]),
  );
});

test("what carries code or data stays, and is named, when the litter beside it is gone", async () => {
  await runAs(lease.test.superuser(), "grant create on schema public to public");
  const credential = await litterer("select lo_create(0)", "create table public.mine (id int)");
  const receipt = await revoke(credential);
  expect(receipt).toMatchObject({
    state: "quarantined",
    cleared: [cleared("pg_largeobject", 1)],
    blockers: [{ database: lease.test.database, catalog: "pg_class", kind: "owner", count: 1 }],
  });
  expect(await leftOf(lease.test, credential, credential.oid)).toEqual(LATCHED);
  expect(await isLent(credential.username)).toBe(false);
  await runAs(
    lease.test.superuser(),
    "drop table public.mine; revoke create on schema public from public",
  );
  expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1, quarantined: 0 });
});

test("C26: leases that litter one after the other use up no limit", async () => {
  const few = await issuer({ limits: { maxLeases: 2 } });
  for (let i = 0; i < 8; i++) {
    const credential = await few.issue();
    await runAs(
      few.test.as(credential.username, credential.password),
      "select lo_create(0); alter default privileges grant select on tables to public",
    );
    const { leaseId } = credential;
    expect(await few.ask("user-service--readonly", { action: "revoke", leaseId })).toMatchObject({
      state: "revoked",
    });
  }
  expect(await leasesOf(few.test)).toEqual([]);
  await few.close();
});

describe("a lease that is lent", () => {
  /** The janitor, before whom somebody else comes the first `times` times. */
  const meeting = (times: number, meanwhile: () => Promise<unknown>): Janitor => {
    let left = times;
    return {
      clear: async (litter, until) => {
        if (left-- > 0) await meanwhile();
        return lease.deps.janitor.clear(litter, until);
      },
    };
  };

  test("and taken back by a second revocation in the middle is lent again", async () => {
    const credential = await litterer("select lo_create(0)");
    const id = parseLeaseId(credential.leaseId);
    const { role } = await lease.deps.engine.look(id.username);
    if (role?.kind !== "lease") throw new Error("there is no such lease");
    const second = () => lease.deps.engine.latch([role.lease], { onlyIfDue: false });
    expect(await revoke(credential, { janitor: meeting(2, second) })).toMatchObject({
      state: "revoked",
      cleared: [cleared("pg_largeobject", 1)],
    });
  });

  test("and taken back each time stays in quarantine, lent to nobody, until the sweep", async () => {
    const credential = await litterer("select lo_create(0)");
    const id = parseLeaseId(credential.leaseId);
    const { role } = await lease.deps.engine.look(id.username);
    if (role?.kind !== "lease") throw new Error("there is no such lease");
    const second = () => lease.deps.engine.latch([role.lease], { onlyIfDue: false });
    const receipt = await revoke(credential, { janitor: meeting(9, second) });
    expect(receipt).toMatchObject({
      state: "quarantined",
      blockers: [{ catalog: "pg_largeobject", count: 1 }],
    });
    expect(receipt).not.toHaveProperty("cleared");
    expect(await isLent(credential.username)).toBe(false);
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });

  test("and revoked to its end by a second revocation in the middle is gone", async () => {
    const credential = await litterer("select lo_create(0)");
    const second = () => revoke(credential);
    expect(await revoke(credential, { janitor: meeting(1, second) })).toMatchObject({
      state: "gone",
    });
  });

  test("to a janitor who cannot log in stays in quarantine, says why, and is revoked once it can", async () => {
    const credential = await litterer("select lo_create(0)");
    const reads: boolean[] = [];
    const janitor = postgresJanitor({
      login: async ({ fresh }) => {
        reads.push(fresh);
        return { ...(await lease.test.janitor()), password: new Secret("wrong") };
      },
      connect: TEST_LIMITS.connect,
      time: lease.deps.time,
      random: Math.random,
    });
    expect(await revoke(credential, { janitor })).toMatchObject({
      state: "quarantined",
      blockers: [{ catalog: "pg_largeobject", why: expect.stringContaining("28P01") }],
    });
    expect(reads).toEqual([false, true]);
    expect(await isLent(credential.username)).toBe(false);
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });

  test("to a janitor who was killed is taken back by the next sweep, also where it cannot be dropped", async () => {
    const credential = await litterer("select lo_create(0)");
    await giveTable(lease.test, credential.username);
    const janitor: Janitor = { clear: () => Promise.reject(new Error("killed")) };
    expect(await revoke(credential, { janitor })).toMatchObject({
      state: "quarantined",
      blockers: expect.arrayContaining([
        { database: lease.test.database, catalog: "pg_class", kind: "owner", count: 1 },
        expect.objectContaining({ catalog: "pg_largeobject", why: "Error" }),
      ]),
    });
    expect(await isLent(credential.username)).toBe(true);
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ quarantined: 1 });
    expect(await isLent(credential.username)).toBe(false);
    await runAs(lease.test.superuser(), `drop owned by "${credential.username}"`);
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });

  test.each([["lend"], ["take back"]] as const)(
    "or cannot be (%s) costs no other its receipt, and says why",
    async (broken) => {
      const plain = await lease.issue();
      const credential = await litterer("select lo_create(0)");
      await giveTable(lease.test, credential.username);
      const { engine } = lease.deps;
      const lend: typeof engine.lend = (leases, way) =>
        way === broken ? Promise.reject(new Error("lost")) : engine.lend(leases, way);
      const refs = await refsOf([plain, credential]);
      const done = await revokeMany({ ...lease.deps, engine: { ...engine, lend } }, refs, byHand);
      expect(done).toMatchObject([
        { receipt: { state: "revoked" } },
        { receipt: { state: "quarantined" } },
      ]);
      await runAs(lease.test.superuser(), `drop owned by "${credential.username}"`);
      expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
    },
  );

  test("has its litter removed as far as there is time, and the rest by the next sweep", async () => {
    const credential = await litterer("select count(lo_create(0)) from generate_series(1, 1100)");
    let left = 3;
    const janitor = postgresJanitor({
      login: () => lease.test.janitor(),
      connect: TEST_LIMITS.connect,
      // the clock stands until there was time for one batch
      time: { now: () => (left-- > 0 ? 0 : 9_999_999_999_999) as Instant },
      random: Math.random,
    });
    const receipt = await revoke(credential, { janitor });
    expect(receipt).toMatchObject({
      state: "quarantined",
      blockers: [{ catalog: "pg_largeobject", why: expect.stringContaining("no time left") }],
    });
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });
});

describe("what takes long, or is locked, keeps nothing else", () => {
  test("of the same lease: it alone stays, and all that was removed is told", async () => {
    const credential = await litterer(
      "select lo_create(n) from generate_series(700001, 700100) n",
      "select lo_put(700050, 0, 'x'); grant all on large object 700050 to public",
      "alter default privileges grant select on tables to public",
    );
    const other = await connect(lease.test.superuser(), TEST_LIMITS);
    await other.query("begin; select lo_put(700050, 0, 'y')");
    expect(await revoke(credential)).toMatchObject({
      state: "quarantined",
      cleared: expect.arrayContaining([
        cleared("pg_largeobject", 99),
        cleared("pg_default_acl", 1),
      ]),
      blockers: [{ catalog: "pg_largeobject", count: 1, why: expect.stringContaining("55P03") }],
    });
    await other.end();
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });

  test("of other leases, in whatever order they come", async () => {
    const hostile = await litterer(
      "select lo_from_bytea(710001, 'x')",
      "grant all on large object 710001 to public",
    );
    const honest = [await litterer("select lo_create(0)"), await litterer("select lo_create(0)")];
    const other = await connect(lease.test.superuser(), TEST_LIMITS);
    await other.query("begin; select lo_put(710001, 0, 'y')");
    const done = await revokeMany(lease.deps, await refsOf([hostile, ...honest]), byHand);
    expect(done).toMatchObject([
      { receipt: { state: "quarantined" } },
      { receipt: { state: "revoked" } },
      { receipt: { state: "revoked" } },
    ]);
    await other.end();
    expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });
  });
});

test("large objects with data stay where rows may refer to them, and nowhere else", async () => {
  const credential = await lease.issue("user-service--readwrite");
  await runAs(
    lease.test.as(credential.username, credential.password),
    "select lo_from_bytea(720001, 'a document'), lo_create(720002)",
  );
  expect(await revoke(credential)).toMatchObject({
    state: "quarantined",
    cleared: [cleared("pg_largeobject", 1)],
    blockers: [
      {
        catalog: "pg_largeobject",
        count: 1,
        why: expect.stringContaining("with data are kept"),
      },
    ],
  });
  expect(await runAs(lease.test.superuser(), "select lo_get(720001)::text as text")).toEqual([
    { text: `\\x${Buffer.from("a document").toString("hex")}` },
  ]);
  await runAs(lease.test.superuser(), "select lo_unlink(720001)");
  expect(await sweep(lease.deps, sweeping)).toMatchObject({ revoked: 1 });

  const reader = await litterer("select lo_from_bytea(720003, 'junk')");
  expect(await revoke(reader)).toMatchObject({
    state: "revoked",
    cleared: [cleared("pg_largeobject", 1)],
  });
});

describe("an event trigger", () => {
  beforeAll(() =>
    runAs(
      lease.test.superuser(),
      `create table public.met (who name); grant insert on public.met to public;
       create function public.watch() returns event_trigger language plpgsql as $$ begin
         insert into public.met values (session_user); end $$`,
    ),
  );
  afterEach(() => runAs(lease.test.superuser(), "drop event trigger if exists watcher"));
  const kept = {
    state: "quarantined",
    cleared: [{ catalog: "pg_largeobject", count: 1 }],
    blockers: [{ catalog: "pg_default_acl", why: expect.stringContaining('trigger "watcher"') }],
  };

  test.each([
    ["that would run at it", "ddl_command_end", kept],
    ["that would run at what it drops", "sql_drop", kept],
    ["for the very statement", "ddl_command_end when tag in ('ALTER DEFAULT PRIVILEGES')", kept],
    ["for others", "ddl_command_end when tag in ('CREATE TABLE')", { state: "revoked" }],
  ])("(%s) never meets the janitor, whom its code could become", async (_, condition, receipt) => {
    const { superuser } = lease.test;
    const credential = await litterer("select lo_create(0)");
    await runAs(
      superuser(),
      `create event trigger watcher on ${condition} execute function public.watch()`,
    );
    await runAs(
      lease.test.as(credential.username, credential.password),
      "alter default privileges grant select on tables to public",
    );
    expect(await revoke(credential)).toMatchObject(receipt);
    const met = await runAs(superuser(), "select distinct who from public.met");
    expect(met.map(({ who }) => String(who)).filter((who) => who.endsWith("janitor"))).toEqual([]);
    await runAs(superuser(), "drop event trigger watcher");
    await sweep(lease.deps, sweeping);
    expect(await leftOf(lease.test, credential, credential.oid)).toEqual(NOTHING);
  });
});

test("names that are longer in another encoding are cleared too", async () => {
  const latin = `${lease.test.database}_latin`;
  const { superuser } = lease.test;
  await runAs(
    superuser(),
    `create database ${latin} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`,
  );
  const schema = "é".repeat(40);
  await runAs(superuser(latin), `create schema "${schema}"`);
  const credential = await lease.issue();
  await runAs(
    lease.test.as(credential.username, credential.password, latin),
    `alter default privileges in schema "${schema}" grant select on tables to public`,
  );
  expect(await revoke(credential)).toMatchObject({
    state: "revoked",
    cleared: [cleared("pg_default_acl", 1, latin)],
  });
});
