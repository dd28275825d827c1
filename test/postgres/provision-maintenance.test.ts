import { expect, test } from "vitest";
import { ownCluster } from "../support/own-cluster.ts";
import { provisioned, runAs, type TestDatabase, unprovisioned } from "../support/provisioned.ts";

const cluster = ownCluster();

const maintenanceState = async ({ superuser }: TestDatabase) =>
  runAs(
    superuser("postgres"),
    `select datallowconn as open, has_database_privilege('public', oid, 'CONNECT') as public
     from pg_database where datname = 'mayfly'`,
  );

test("four stacks that make the maintenance database at once all succeed", async () => {
  const databases: TestDatabase[] = [];
  for (let n = 0; n < 4; n++) databases.push(await unprovisioned({ cluster: cluster() }));
  expect(await maintenanceState(databases[0] as TestDatabase)).toEqual([]);
  await Promise.all(databases.map(({ provision }) => provision()));
  for (const database of databases) {
    expect(await maintenanceState(database)).toEqual([{ open: true, public: false }]);
    await runAs(await database.issuerLogin(), "select 1");
  }
});

test("one that was left half-made is finished, and PUBLIC is shut out again", async () => {
  const database = await provisioned({ cluster: cluster() });
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
  const database = await provisioned({ cluster: cluster() });
  await runAs(
    database.superuser("postgres"),
    "create role curious login; grant connect on database mayfly to curious",
  );
  await expect(database.provision()).rejects.toThrow(
    '"curious" may connect to the maintenance database "mayfly", where nobody but issuer logins may; have a DBA run: REVOKE CONNECT ON DATABASE "mayfly" FROM "curious";',
  );
  await runAs(database.superuser("postgres"), "revoke connect on database mayfly from curious");
  await database.provision();
});

test("nothing of template1 comes along", async () => {
  const database = await provisioned({ cluster: cluster() });
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
