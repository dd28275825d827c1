import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StatementRejectedError } from "../../core/errors.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { groupRoleName, janitorName } from "../../core/names.ts";
import { majorOf } from "../support/evidence.ts";
import { type Issuer, issuer, sqlStateFrom } from "../support/leases.ts";
import { runAs, TEST_LIMITS } from "../support/provisioned.ts";
import { printed } from "../support/runbooks.ts";

const WRITER = "user-service--readwrite";

let lease: Issuer & Awaited<ReturnType<typeof issuer>>;
let major: number;
let group: string;

beforeAll(async () => {
  lease = await issuer();
  major = await majorOf(lease.test);
  group = groupRoleName(lease.test.tag, "readwrite");
});
afterAll(() => lease.close());

const swept = () => sweep(lease.deps, { actor: "sweep", mayContinue: () => true });
const as = ({ username, password }: Credential, text: string) =>
  runAs(lease.test.as(username, password), text);
const revoke = ({ leaseId }: Credential): Promise<Receipt> =>
  lease.ask(WRITER, { action: "revoke", leaseId }) as Promise<Receipt>;

/** What the runbook prints, run as printed by a superuser. @returns what was not refused. */
async function followRunbook(): Promise<string[]> {
  const done: string[] = [];
  for (const query of ["pg_trigger t", "pg_identify_object", "pg_default_acl d"]) {
    const text = printed("stray-objects", query).replaceAll("qdoi", lease.test.tag);
    const remedies = (await runAs(lease.test.superuser(), text)).map(({ remedy }) =>
      String(remedy),
    );
    for (const remedy of remedies)
      if ((await sqlStateFrom(runAs(lease.test.superuser(), remedy))) === undefined)
        done.push(remedy);
  }
  return done;
}

const BACK_DOOR = `create function public.bd(q text) returns void language plpgsql security definer as
  $$ begin execute q; end $$`;

test("C19: a back door that a lease has left to its group is in the receipt, and found by each sweep", async () => {
  const { database, superuser } = lease.test;
  const credential = await lease.issue(WRITER);
  // before 16 a lease can become its group
  const isRefused = major >= 16;
  await runAs(superuser(), `grant create on schema public to ${group}`);
  expect(await sqlStateFrom(as(credential, `set role ${group}; ${BACK_DOOR}`))).toBe(
    isRefused ? "42501" : undefined,
  );
  if (isRefused)
    await runAs(superuser(), `${BACK_DOOR}; alter function public.bd(text) owner to ${group}`);
  const reader = await lease.issue("user-service--readonly");
  await as(reader, "select public.bd('update public.orders set customer = customer')");

  const stray = { database, catalog: "pg_proc", count: 1 };
  const receipt = await revoke(credential);
  expect(receipt).toMatchObject({ state: "revoked" });
  expect(receipt.blockers).toEqual([{ ...stray, kind: "owner", of: group }]);
  expect(
    await lease.ask("user-service--readonly", { action: "revoke", leaseId: reader.leaseId }),
  ).toMatchObject({ state: "revoked", blockers: [] });

  expect((await swept()).strays).toEqual([{ ...stray, owner: group }]);
  expect(lease.metrics).toContainEqual({ metric: "StrayObjects", value: 1 });
  expect(lease.audit).toContainEqual({ event: "role.owns", ...stray, owner: group });

  expect(await followRunbook()).toEqual(["DROP FUNCTION public.bd(pg_catalog.text);"]);
  expect((await swept()).strays).toEqual([]);
  expect(lease.metrics.findLast(({ metric }) => metric === "StrayObjects")?.value).toBe(0);
});

test("what a lease sets by default for its group is found, and what the runbook prints takes it away", async () => {
  const credential = await lease.issue(WRITER);
  await as(
    credential,
    `alter default privileges for role ${group} grant select on tables to public;
     alter default privileges for role ${group} revoke execute on functions from public`,
  );
  const receipt = await revoke(credential);
  const { database } = lease.test;
  expect(receipt.state).toBe("revoked");
  expect(receipt.blockers).toEqual([
    { database, catalog: "pg_default_acl", kind: "owner", count: 2, of: group },
  ]);
  await followRunbook();
  expect((await swept()).strays).toEqual([]);
});

describe("whatever there is", () => {
  test("is found in every database, whosever of Mayfly's roles it is, and removed as printed", async () => {
    const { database, superuser, tag } = lease.test;
    const readonly = groupRoleName(tag, "readonly");
    const janitor = janitorName(tag);
    await runAs(
      superuser(),
      `create schema stray authorization ${group}; create table stray.t (id serial);
       alter table stray.t owner to ${group};
       create view public."odd
name" as select 1 as one; alter view public."odd
name" owner to ${readonly};
       create type public.pair as (a int, b int); alter type public.pair owner to ${group};
       create statistics public.both on id, customer from public.orders;
       alter statistics public.both owner to ${group};
       create procedure public.p() language sql as 'select 1'; alter procedure public.p owner to ${janitor};
       create materialized view public.m as select 1 as one; alter materialized view public.m owner to ${group};
       create function public.tf() returns trigger language plpgsql as 'begin return null; end';
       alter function public.tf() owner to ${group};
       create trigger tg after update on public.orders execute function public.tf();
       select lo_create(4711); alter large object 4711 owner to ${group}`,
    );
    await runAs(superuser("postgres"), `create database stray_${tag} owner ${readonly}`);
    const { strays } = await swept();
    const of = (owner: string, catalog: string, count: number, where = database) => ({
      owner,
      database: where,
      catalog,
      count,
    });
    expect(strays).toEqual([
      of(readonly, "pg_class", 1),
      of(readonly, "pg_database", 1, "cluster"),
      of(group, "pg_class", 3),
      of(group, "pg_largeobject", 1),
      of(group, "pg_namespace", 1),
      of(group, "pg_proc", 1),
      of(group, "pg_statistic_ext", 1),
      of(group, "pg_type", 1),
      of(janitor, "pg_proc", 1),
    ]);
    await runAs(superuser("postgres"), `drop database stray_${tag}`);
    for (let left = 4; left > 0 && (await swept()).strays.length > 0; left--) await followRunbook();
    expect((await swept()).strays).toEqual([]);
  });
});

test("what groups own and cannot be told is said in its place, and keeps nothing else", async () => {
  const deps = {
    ...lease.deps,
    engine: {
      ...lease.deps.engine,
      findStrays: () => Promise.reject(new StatementRejectedError("strays", "57014")),
    },
  };
  const { leaseId } = await lease.issue(WRITER);
  const receipt = await revokeLease(deps, parseLeaseId(leaseId), {
    onlyIfDue: false,
    actor: "test",
  });
  const why = expect.stringContaining('step "strays" (code 57014)');
  expect(receipt.state).toBe("revoked");
  expect(receipt.blockers).toEqual([
    { database: "cluster", catalog: "unknown", kind: "owner", count: 1, of: group, why },
  ]);
  const report = await sweep(deps, { actor: "sweep", mayContinue: () => true });
  expect(report).toMatchObject({ left: 0, unknownMembers: [], strays: [{ count: 1, why }] });
});

test("however much a group owns is told in time", async () => {
  const { superuser } = lease.test;
  await runAs(
    superuser(),
    `insert into pg_shdepend (dbid, classid, objid, objsubid, refclassid, refobjid, deptype)
     select d.oid, 'pg_largeobject'::regclass, n, 0, 'pg_authid'::regclass, '${group}'::regrole, 'o'
     from pg_database d, generate_series(1000000, 1300000) n where d.datname = current_database()`,
  );
  const before = performance.now();
  const { strays } = await swept();
  expect(performance.now() - before).toBeLessThan(TEST_LIMITS.statement);
  expect(strays).toEqual([
    expect.objectContaining({ owner: group, catalog: "pg_largeobject" }),
    { owner: group, database: "cluster", catalog: "pg_shdepend", count: 200_000 },
  ]);
  await runAs(superuser(), "delete from pg_shdepend where objid between 1000000 and 1300000");
});
