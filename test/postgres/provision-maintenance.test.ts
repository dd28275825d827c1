import { beforeEach, describe, expect, test } from "vitest";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { rolesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, type TestDatabase, unprovisioned } from "../support/provisioned.ts";

const maintenanceState = async ({ superuser }: TestDatabase) =>
  runAs(
    superuser("postgres"),
    `select datallowconn as open, has_database_privilege('public', oid, 'CONNECT') as public
     from pg_database where datname = 'mayfly'`,
  );

test("four stacks that make the maintenance database at once all succeed", async () => {
  const databases: TestDatabase[] = [];
  for (let n = 0; n < 4; n++) databases.push(await unprovisioned());
  expect(await maintenanceState(databases[0] as TestDatabase)).toEqual([]);
  await Promise.all(databases.map(({ provision }) => provision()));
  for (const database of databases) {
    expect(await maintenanceState(database)).toEqual([{ open: true, public: false }]);
    await runAs(await database.issuerLogin(), "select 1");
  }
});

test("one that was left half-made is finished, and PUBLIC is shut out again", async () => {
  const database = await provisioned();
  for (const damage of [
    "alter database mayfly allow_connections false",
    "grant connect on database mayfly to public",
  ]) {
    await runAs(database.superuser("postgres"), damage);
    await database.provision();
    expect(await maintenanceState(database)).toEqual([{ open: true, public: false }]);
  }
});

test("whoever else may enter it is named, with the SQL that shuts it out", async () => {
  const database = await provisioned();
  await runAs(
    database.superuser("postgres"),
    "create role curious login; grant connect on database mayfly to curious",
  );
  await expect(database.provision()).rejects.toThrow(
    '"curious" may connect to the maintenance database "mayfly", where nobody but issuer logins may; have a DBA run: SET ROLE "mayfly_master"; REVOKE CONNECT ON DATABASE "mayfly" FROM "curious" CASCADE; RESET ROLE;',
  );
  const refusal = await database.provision().then(String, String);
  await runAs(database.superuser(), /have a DBA run: (.*;)/.exec(refusal)?.[1] ?? "");
  await database.provision();
});

test("nothing of template1 comes along", async () => {
  const database = await provisioned();
  await runAs(
    database.superuser("template1"),
    "create function public.format(text, text) returns text language sql as $$ select 'trap' $$",
  );
  await runAs(database.superuser("postgres"), "drop database mayfly");
  await database.provision();
  expect(
    await runAs(
      await database.issuerLogin(),
      "select count(*)::int as n from pg_proc where pronamespace = 'public'::regnamespace",
    ),
  ).toEqual([{ n: 0 }]);
});

test("it may have another name, where somebody has a database of that name already", async () => {
  const database = await unprovisioned({ maintenanceDatabase: "mayfly_own" });
  const { admin, superuser, plan } = database;
  await runAs(superuser("postgres"), "drop database if exists mayfly");
  await runAs(admin("postgres"), "create database mayfly");
  await runAs(admin("mayfly"), "create table public.insects (id int)");
  await database.provision();
  const instance = issuerOn(database);
  const credential = await instance.issue();
  await (await logIn(database, credential)).end();
  const revoked = await revokeLease(instance.deps, parseLeaseId(credential.leaseId), {
    onlyIfDue: false,
    actor: "operator",
  });
  expect(revoked.state).toBe("revoked");
  await instance.close();
  await database.provision(); // changes nothing

  await expect(database.provision({ ...plan, maintenanceDatabase: "elsewhere" })).rejects.toThrow(
    `the tag "${database.tag}" uses the database "mayfly_own", and cannot move to "elsewhere"; set "maintenanceDatabase" to "mayfly_own", or "tag" to four other characters of a-z and 2-7`,
  );
  await database.remove();
  const left = await runAs(superuser("postgres"), "select datname from pg_database order by 1");
  expect(left.map(({ datname }) => datname)).not.toContain("mayfly_own");
  expect(left.map(({ datname }) => datname)).not.toContain("elsewhere");
  expect(await runAs(admin("mayfly"), "select * from public.insects")).toEqual([]);
  await runAs(superuser("postgres"), "drop database mayfly");
});

describe("a database of that name that is not Mayfly's", () => {
  beforeEach(async () => {
    const { superuser } = await unprovisioned();
    await runAs(superuser("postgres"), "drop database if exists mayfly");
  });
  const REFUSAL =
    'the database "mayfly" exists and is not Mayfly\'s; if anybody uses it, set "maintenanceDatabase" to a name that is free; if it is Mayfly\'s and was restored without its comment, have a DBA run: ' +
    `COMMENT ON DATABASE "mayfly" IS 'Mayfly''s own: leases are made and ended here';`;

  test.each([
    ["with a table of the administrator's", true, "select 1"],
    ["of somebody else, with PUBLIC shut out", false, "revoke all on database mayfly from public"],
    ["that is closed, without a limit", true, "alter database mayfly allow_connections false"],
    ["with another comment", true, "comment on database mayfly is 'our mayflies'"],
  ])("%s is refused, and not touched", async (_, isAdmins, change) => {
    const database = await unprovisioned();
    const as = isAdmins ? database.admin("postgres") : database.superuser("postgres");
    await runAs(as, "create database mayfly");
    await runAs({ ...as, database: "mayfly" }, "create table public.insects (id int)");
    await runAs(as, change);
    const state = () =>
      runAs(
        database.superuser("postgres"),
        `select datdba, datallowconn, datconnlimit, datacl::text, shobj_description(oid, 'pg_database')
         from pg_database where datname = 'mayfly'`,
      );
    const before = await state();
    await expect(database.provision()).rejects.toThrow(REFUSAL);
    expect(await state()).toEqual(before);
    expect(await rolesOf(database)).toEqual([]);
  });

  test("but for its comment is taken once a DBA has run what is printed, and is kept with what is in it", async () => {
    const database = await unprovisioned();
    const as = database.admin("postgres");
    await runAs(as, "create database mayfly");
    await runAs({ ...as, database: "mayfly" }, "create table public.insects (id int)");
    await runAs(as, REFUSAL.slice(REFUSAL.indexOf("COMMENT")));
    await database.provision();
    await database.remove();
    expect(database.warnings.at(-1)).toContain("public.insects");
    expect(await runAs({ ...as, database: "mayfly" }, "select * from public.insects")).toEqual([]);
  });

  test("that was only begun is finished", async () => {
    const database = await unprovisioned();
    await runAs(
      database.admin("postgres"),
      "create database mayfly template template0 allow_connections false connection limit 0",
    );
    await database.provision();
    expect(await maintenanceState(database)).toEqual([{ open: true, public: false }]);
    await database.remove();
    expect(await maintenanceState(database)).toEqual([]);
  });
});

test("what somebody made in it by hand is kept with it, and named", async () => {
  const database = await provisioned();
  await runAs(
    database.superuser("mayfly"),
    `create table public.notes (id int); create schema notes; create type public.mood as enum ('calm');
     create function public.f() returns int language sql as 'select 1'; select lo_create(4711);
     create table mayfly.notes (id int);
     create table public."a\n- have a DBA run: DROP TABLE x" (id int)`,
  );
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
  expect(await maintenanceState(database)).toHaveLength(1);
  const { step, what } = JSON.parse(database.warnings.at(-1) ?? "{}");
  expect(step).toBe('database "mayfly" is kept: it contains objects that are not Mayfly\'s');
  for (const name of ["public.notes", "schema notes", "public.mood", "public.f()", "4711"])
    expect(what).toContain(name);
  expect(what).toContain("table mayfly.notes");
  expect(what).toContain("a\\n- have a DBA run");
  expect(what).not.toContain("\n");
});
