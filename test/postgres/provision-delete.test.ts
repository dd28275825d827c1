import { afterAll, beforeAll, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { rolesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, SECRETS, type TestDatabase } from "../support/provisioned.ts";

// a server of their own: these tests drop the database "mayfly", which all stacks share
let own: OwnServer;
beforeAll(async () => {
  own = await startCluster(["max_connections=100"]);
});
afterAll(() => own.server.stop());

const fresh = () => provisioned({ cluster: own.cluster });

const databasesOf = async (database: TestDatabase): Promise<string[]> =>
  (await runAs(database.superuser("postgres"), "select datname from pg_database")).map(
    ({ datname }) => String(datname),
  );

/** Everything in the cluster that still names one of the tag's roles. */
const mentionsOf = ({ superuser, tag, database }: TestDatabase) =>
  runAs(
    superuser(database),
    `select c.relname from pg_class c where c.relacl::text like '%mf\\_${tag}%'
     union all select n.nspname from pg_namespace n where n.nspacl::text like '%mf\\_${tag}%'
     union all select d.datname from pg_database d where d.datacl::text like '%mf\\_${tag}%'
     union all select 'default' from pg_default_acl d where d.defaclacl::text like '%mf\\_${tag}%'`,
  );

/** It is named, with what to do with it. */
function expectGroupKept({ groupRemovals, tag, warnings }: TestDatabase): void {
  expect(groupRemovals()).toBe(0);
  expect(warnings.at(-1)).toContain("the schedule group is kept");
  expect(warnings.at(-1)).toContain(`aws scheduler delete-schedule-group --name mayfly-${tag}`);
}

test("a Delete with live leases leaves no lease, no session, no role and no database", async () => {
  const database = await fresh();
  const issuer = issuerOn(database);
  const sessions = [];
  for (let n = 0; n < 20; n++) {
    const credential = await issuer.issue(
      n % 2 ? "user-service--readwrite" : "reporting--readonly",
    );
    if (n < 6) sessions.push(await logIn(database, credential));
  }
  expect((await rolesOf(database)).length).toBe(28);
  await database.remove();
  for (const session of sessions)
    await expect(session.query("select 1")).rejects.toThrow("connection");
  expect(await rolesOf(database)).toEqual([]);
  expect(await mentionsOf(database)).toEqual([]);
  expect(await databasesOf(database)).not.toContain("mayfly");
  expect(database.audit.filter(({ event }) => event === "lease.revoked")).toHaveLength(20);
  expect(database.warnings).toEqual([]);
  expect(
    await runAs(
      database.admin(),
      "select count(*)::int as n from pg_stat_activity where usename like 'mf\\_%'",
    ),
  ).toEqual([{ n: 0 }]);
  // the owner's data is as it was, the secrets too, and a second Delete finds nothing
  expect(await runAs(database.superuser(), "select count(*)::int as n from public.orders")).toEqual(
    [{ n: 5 }],
  );
  expect(database.secrets.puts()).toBe(3);
  expect(database.groupRemovals()).toBe(1);
  await database.remove();
  expect(database.groupRemovals()).toBe(2);
  await issuer.close();
});

test("it is created again after it was deleted, as another stack", async () => {
  const database = await fresh();
  await database.remove();
  await database.provision(database.plan, { id: "arn:another", resource: "Provision" });
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue());
  await session.query("select count(*) from public.orders");
  await session.end();
  await issuer.close();
  await database.remove(database.plan, { id: "arn:another", resource: "Provision" });
});

test("another stack's tag keeps the maintenance database, its leases and roles", async () => {
  const database = await fresh();
  const other = await fresh();
  const issuer = issuerOn(other);
  const session = await logIn(other, await issuer.issue());
  const before = await rolesOf(other);
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
  expect(await rolesOf(other)).toEqual(before);
  await session.query("select count(*) from public.orders");
  await issuer.issue();
  await session.end();
  await issuer.close();
  await other.remove();
  expect(await databasesOf(other)).not.toContain("mayfly");
});

test("a Delete of another stack's tag keeps the schedule group, whose leases it did not see", async () => {
  const database = await fresh();
  await database.remove(database.plan, { id: "arn:another", resource: "Provision" });
  expect(database.warnings[0]).toContain("nothing was removed: the tag is not this stack's");
  expectGroupKept(database);
  await database.remove();
  expect(database.groupRemovals()).toBe(1);
});

test("a crash anywhere in a Delete is mended by the next", async () => {
  const database = await fresh();
  const issuer = issuerOn(database);
  await issuer.issue();
  await issuer.close();
  // whoever owns an object cannot be dropped, and here that is what nothing reckons with
  const janitor = `mf_${database.tag}_janitor`;
  await runAs(
    database.superuser(),
    `create schema stuck; create table stuck.t (); alter table stuck.t owner to ${janitor}`,
  );
  await expect(database.remove()).rejects.toMatchObject({ engineCode: "2BP01" });
  expect(await rolesOf(database)).toContain(janitor);
  await expect(runAs(await database.issuerLogin(), "select 1")).rejects.toMatchObject({
    code: "28000",
  });
  await runAs(database.superuser(), "drop schema stuck cascade");
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
});

test("a failed Delete is undone by the next deployment", async () => {
  const database = await fresh();
  const janitor = `mf_${database.tag}_janitor`;
  await runAs(
    database.superuser(),
    `create schema stuck2; create table stuck2.t (); alter table stuck2.t owner to ${janitor}`,
  );
  await expect(database.remove()).rejects.toMatchObject({ engineCode: "2BP01" });
  await database.provision();
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue());
  await session.query("select count(*) from public.orders");
  await session.end();
  await issuer.close();
  await runAs(database.superuser(), "drop schema stuck2 cascade");
  await database.remove();
});

test("a secret that is gone or holds something else does not keep leases alive", async () => {
  const database = await fresh();
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue());
  const get = database.secrets.getSecret.bind(database.secrets);
  database.secrets.getSecret = async (arn, version) =>
    arn === SECRETS.issuer ? undefined : get(arn, version);
  await database.remove();
  await expect(session.query("select 1")).rejects.toThrow("connection");
  expect(await rolesOf(database)).toEqual([]);
  await issuer.close();
});

test("a group that owns objects is kept, never dropped with what it owns", async () => {
  const database = await fresh();
  const group = groupRoleName(database.tag, "readwrite");
  await runAs(
    database.superuser(),
    `create schema side; create table side.estate (n) as select 1;
     alter table side.estate owner to ${group}`,
  );
  await database.remove();
  expect(await rolesOf(database)).toEqual([group]);
  expect(await runAs(database.superuser(), "select n from side.estate")).toEqual([{ n: 1 }]);
  expect(database.warnings.join()).toContain(`"role":"${group}","what":"1 in pg_class (owner)`);
});

test("a lease that cannot be dropped is latched and named, and keeps its issuer role", async () => {
  const database = await fresh();
  const issuer = issuerOn(database);
  const { username } = await issuer.issue();
  await issuer.close();
  await runAs(
    database.superuser(),
    `create schema hold; create table hold.t (); alter table hold.t owner to "${username}"`,
  );
  await database.remove();
  const left = await rolesOf(database);
  expect(left).toEqual([
    expect.stringMatching(/_issuer_/),
    expect.stringMatching(/_issuer_/),
    username,
  ]);
  expect(
    await runAs(
      database.superuser(),
      `select rolcanlogin from pg_roles where rolname = '${username}'`,
    ),
  ).toEqual([{ rolcanlogin: false }]);
  expect(database.warnings.join()).toContain(username);
  expectGroupKept(database);
});

test("a role that only looks like a lease is named, and not touched", async () => {
  const database = await fresh();
  const name = `mf_${database.tag}_readonly_someone_00000000aaaaaaaaaaaaaa`;
  await runAs(
    database.superuser(),
    `create role "${name}" login createdb in role ${groupRoleName(database.tag, "readonly")}`,
  );
  await database.remove();
  expect(await rolesOf(database)).toContain(name);
  expect(database.warnings.join()).toContain(name);
  expectGroupKept(database);
});

test("a Delete succeeds, loudly, when the administrator's secret or database is gone", async () => {
  const database = await fresh();
  const get = database.secrets.getSecret.bind(database.secrets);
  const admin = (await get(SECRETS.admin))?.value;
  for (const value of [undefined, { ...admin, dbname: "dropped_long_ago" }]) {
    database.secrets.getSecret = async () => value && { value, versionId: "v" };
    await database.remove();
  }
  const untouched = database.warnings.filter((each) => each.includes("nothing was removed"));
  expect(untouched).toHaveLength(2);
  for (const each of untouched) expect(each).toContain("nothing was removed or verified");
  expectGroupKept(database);
  expect((await rolesOf(database)).length).toBe(8);
});

test("a Delete fails while the administrator's password is wrong: leases would be left", async () => {
  const database = await fresh();
  const get = database.secrets.getSecret.bind(database.secrets);
  const value = { ...(await get(SECRETS.admin))?.value, password: new Secret("wrong") };
  database.secrets.getSecret = async () => ({ value, versionId: "v" });
  await expect(database.remove()).rejects.toThrow(/refuses \(code 28P01\)/);
  expect((await rolesOf(database)).length).toBe(8);
});

test("a Delete succeeds, loudly, when the server is gone", async () => {
  const database = await fresh();
  await own.server.stop();
  await database.remove();
  expect(database.warnings).toHaveLength(2);
  expect(database.warnings[0]).toContain("nothing was removed or verified");
  expectGroupKept(database);
});
