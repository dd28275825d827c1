import { describe, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { Secret } from "../../core/secret.ts";
import { bootstrapScript } from "../../lambda/postgres/provisioning/bootstrap/script.ts";
import { STATS_ROLE } from "../../lambda/postgres/provisioning/wanted-roles.ts";
import { clusterStateOf } from "../support/cluster-state.ts";
import { issuerOn, logIn, loginRefusal, sqlStateFrom } from "../support/leases.ts";
import { ownCluster } from "../support/own-cluster.ts";
import { rolesOf } from "../support/provision-traces.ts";
import {
  LIMITS,
  type ProvisionedOptions,
  provisioned,
  runAs,
  SECRETS,
  type TestDatabase,
  unprovisioned as unprovisionedOn,
} from "../support/provisioned.ts";
import { runScript } from "../support/psql.ts";
import { rotatedPlan } from "../support/rotated.ts";

const ADMIN = "mayfly_admin";
const NOTHING = changesOf();

const cluster = ownCluster();
const unprovisioned = (options: ProvisionedOptions = {}): Promise<TestDatabase> =>
  unprovisionedOn({ cluster: cluster(), ...options });

/** Run the script, as the superuser unless told, and give the stack the administrator's secret. */
async function bootstrap(
  test: TestDatabase,
  plan = test.plan,
  admin = ADMIN,
  dba = test.superuser("postgres"),
): Promise<string[]> {
  const executed = await runScript(dba, bootstrapScript(plan, admin));
  await runAs(
    test.superuser(),
    `alter role "${admin.replaceAll('"', '""')}" password 'of-this-test'`,
  );
  await test.secrets.putSecret(
    SECRETS.admin,
    { username: admin, password: new Secret("of-this-test"), dbname: plan.databases[0] },
    { clientRequestToken: "another" },
  );
  return [...executed];
}

const splits = async (test: TestDatabase): Promise<boolean> =>
  Number((await runAs(test.superuser(), "show server_version_num"))[0]?.server_version_num) >=
  160_000;

test("after the script, an administrator without power over the data provisions", async () => {
  const database = await unprovisioned();
  await bootstrap(database);
  const before = await clusterStateOf(database, ADMIN);
  expect(await database.provision()).toEqual({ ...NOTHING, passwordsSet: 3 });
  expect(await clusterStateOf(database, ADMIN)).toEqual(before);
  expect(await database.provision()).toEqual(NOTHING);

  const session = await logIn(database, await issuerOn(database).issue("user-service--readwrite"));
  await session.query("update public.orders set total_cents = 1");
  await session.end();
  const admin = database.as(ADMIN, "of-this-test");
  expect(await sqlStateFrom(runAs(admin, "select from public.orders"))).toBe("42501");
  if (!(await splits(database))) return; // before 16, CREATEROLE is power over every role
  for (const role of [database.owner, groupRoleName(database.tag, "readonly")])
    expect(await sqlStateFrom(runAs(admin, `set role ${role}`))).toBe("42501");
});

test("run again, the script finds nothing to do, before and after provisioning", async () => {
  const database = await unprovisioned();
  expect((await bootstrap(database)).length).toBeGreaterThan(8);
  const before = await clusterStateOf(database, ADMIN);
  expect(before.length).toBeGreaterThan(30);
  expect(await bootstrap(database)).toEqual([]);
  expect(await clusterStateOf(database, ADMIN)).toEqual(before);
  await database.provision();
  expect(await bootstrap(database)).toEqual([]);
  expect(await clusterStateOf(database, ADMIN)).toEqual(before);
});

test("the script makes what the provisioner makes alone", async () => {
  const [scripted, alone] = [await unprovisioned(), await provisioned()];
  await bootstrap(scripted);
  await scripted.provision();
  const made = await clusterStateOf(alone, alone.admin().username);
  const rows = await clusterStateOf(scripted, ADMIN);
  // before 15, nobody but a superuser can let a group into public by name: PUBLIC is in
  const isExtra = (row: string): boolean => /^schema public \S+ USAGE f$/.test(row);
  const extra = (await openPublic(alone)) ? rows.filter(isExtra) : [];
  // a DBA who may lets the ender see whose all sessions are; alone, it sees those of latched leases
  const sees = rows.filter((row) => row.startsWith(`membership ${STATS_ROLE} mf_TAG_ender `));
  expect(sees).toHaveLength(1);
  extra.push(...sees);
  // before 16 its own rights are written down only where the data is its business anyway
  const isOwn = (row: string): boolean => /^membership mf_TAG_\S+ ADMIN /.test(row);
  if (!(await splits(alone))) extra.push(...made.filter(isOwn));
  const common = (state: readonly string[]) => state.filter((row) => !extra.includes(row));
  expect(common(rows)).toEqual(common(made));
});

const openPublic = async (test: TestDatabase): Promise<boolean> =>
  (
    await runAs(
      test.superuser(),
      "select nspowner::regrole::text as owner from pg_namespace where nspname = 'public'",
    )
  )[0]?.owner !== "pg_database_owner";

test("what the owner makes later is covered, and what another makes is the DBA's again", async () => {
  const database = await unprovisioned();
  await bootstrap(database);
  await database.provision();
  await runAs(database.superuser(), `set role ${database.owner}; create table public.later ()`);
  await runAs(database.superuser(), "create table public.foreign_one ()");
  await expect(database.converge()).rejects.toThrow(
    `in database "${database.database}": public.foreign_one belongs to "rdsadmin", and the owner "${database.owner}" may not grant INSERT, SELECT, UPDATE there; have a DBA run: GRANT insert, select, update ON TABLE "public"."foreign_one" TO "${database.owner}" WITH GRANT OPTION;`,
  );
  expect(await bootstrap(database)).toEqual(
    ["readonly SELECT", "readwrite INSERT", "readwrite SELECT", "readwrite UPDATE"].map((each) => {
      const [role = "", privilege] = each.split(" ");
      return `grant ${privilege} on table public.foreign_one to ${groupRoleName(database.tag, role)}`;
    }),
  );
  expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
  const session = await logIn(database, await issuerOn(database).issue("user-service--readonly"));
  await session.query("select from public.later; select from public.foreign_one");
  await session.end();
});

test("a role that the configuration gains is refused until the script has run again", async () => {
  const database = await unprovisioned();
  await bootstrap(database);
  await database.provision();
  const groupRole = groupRoleName(database.tag, "audit");
  const audit = { ...LIMITS, groupRole, privileges: { select: ["public.orders"] } };
  const plan = { ...database.plan, roles: { ...database.plan.roles, audit } };
  const how = (await splits(database)) ? " WITH INHERIT FALSE, SET TRUE" : "";
  // the group and the way into the database are the administrator's to make and the owner's to give
  await expect(database.provision(plan)).rejects.toThrow(
    `in database "${database.database}": "${ADMIN}" cannot become the owner "${database.owner}", who must grant what the groups lack there, 1 privilege; have a DBA run: GRANT "${database.owner}" TO "${ADMIN}"${how};`,
  );
  await bootstrap(database, plan);
  expect(await database.provision(plan)).toEqual(NOTHING);
});

test("more shards need no script: they hold no privilege", async () => {
  const database = await unprovisioned();
  await bootstrap(database);
  await database.provision();
  const more = await database.provision({ ...database.plan, shards: 3 });
  // to administer two groups; nobody is a member of it
  expect(more).toEqual({ ...NOTHING, rolesMade: 1, membershipsGranted: 2 });
});

test("after the script, the users of rotated secrets are made, in a group that is not the administrator's", async () => {
  const database = await unprovisioned();
  const { plan, reports, writers } = await rotatedPlan(database);
  await runAs(database.superuser(), `revoke connect on database ${database.database} from public`);
  const both = { ...plan, databases: [database.database] };
  await bootstrap(database, both);
  expect(await bootstrap(database, both)).toEqual([]);
  expect(await database.provision(both)).toEqual({
    ...NOTHING,
    rolesMade: 2,
    membershipsGranted: 2,
    passwordsSet: 5,
  });
  expect(await database.provision(both)).toEqual(NOTHING);
  for (const login of [
    database.as(reports, "first-of-reports"),
    database.as(writers[0], "first-of-writer"),
  ])
    expect(await runAs(login, "select count(*)::int as n from public.orders")).toEqual([{ n: 5 }]);
  const admin = database.as(ADMIN, "of-this-test");
  expect(await sqlStateFrom(runAs(admin, "select from public.orders"))).toBe("42501");
});

test("what a DBA granted is left when the rest is taken away, and cannot log in", async () => {
  const database = await unprovisioned();
  await bootstrap(database);
  await database.provision();
  const janitor = await database.janitor();
  const groups = Object.values(database.plan.roles).map(({ groupRole }) => groupRole);
  const kept = [...groups, janitor.username];
  const names = kept.join(", ");
  const lease = await issuerOn(database).issue("user-service--readonly");
  await database.remove();
  expect(await rolesOf(database)).toEqual(kept);
  expect(await loginRefusal(database, lease)).toBe("28P01");
  expect(await sqlStateFrom(runAs(janitor, "select 1"))).toBe("28000");
  for (const group of groups)
    expect(database.warnings.join("\n")).toMatch(
      new RegExp(`a group role is kept.*"role":"${group}"`),
    );
  await runAs(database.superuser(), `drop owned by ${names}; drop role ${names}`);
  expect(await rolesOf(database)).toEqual([]);
});

test("names that would break out of a script do not", async () => {
  const hostile = {
    admin: `mallory"'; drop role x; --\\ $1`,
    owner: `own"er'; \n! echo \\q`,
    schema: `sch"ema'; :var \n\n-- \\q`,
    table: `ta"ble'%s\\`,
    database: `a=b "quoted" 'single' \\back :x`,
  };
  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const [owner, schema, table] = [hostile.owner, hostile.schema, hostile.table].map(quote);
  const database = await unprovisioned();
  await runAs(database.superuser(), `create role ${owner}`);
  await runAs(database.superuser(), `create database ${quote(hostile.database)}`);
  await runAs(
    database.superuser(hostile.database),
    `create schema ${schema} authorization ${owner}; set role ${owner};
     create table ${schema}.${table} as select 1 as n`,
  );
  const plan: ProvisionPlan = {
    ...database.plan,
    owner: hostile.owner,
    databases: [hostile.database],
    roles: {
      readonly: {
        ...LIMITS,
        groupRole: groupRoleName(database.tag, "readonly"),
        privileges: { select: [`${hostile.schema}.*`] },
      },
    },
    grants: [{ consumer: "user-service", role: "readonly" }],
  };
  await runAs(database.superuser("mayfly"), "alter database mayfly owner to mayfly_admin");
  await runAs(database.superuser(), `create role ${quote(hostile.admin)} login`);
  await runAs(database.superuser(), `grant mayfly_admin to ${quote(hostile.admin)}`);
  await bootstrap(database, plan, hostile.admin);
  expect(await database.provision(plan)).toEqual({ ...NOTHING, passwordsSet: 3 });
  const lease = await issuerOn(database).issue("user-service--readonly");
  const login = database.as(lease.username, lease.password, hostile.database);
  expect(await runAs(login, `select n from ${schema}.${table}`)).toEqual([{ n: 1 }]);
});

test.each([
  ["a database's name on two lines", { databases: ["a\nb"] }, '"a\\nb"'],
  ["the tag of a block in a name", { owner: "x$mf$y" }, '"x$mf$y"'],
])("%s is refused", async (_, change, named) => {
  const { plan } = await unprovisioned();
  expect(() => bootstrapScript({ ...plan, ...change }, ADMIN)).toThrow(
    `the name ${named} cannot stand in a psql script`,
  );
});

test("an administrator that is a superuser, or may not have the maintenance database, is refused", async () => {
  const database = await unprovisioned();
  await runAs(database.superuser(), "create role too_strong superuser; create role stranger login");
  const run = (admin: string) =>
    runScript(database.superuser("postgres"), bootstrapScript(database.plan, admin));
  await expect(run("too_strong")).rejects.toThrow('"too_strong" is a superuser');
  await bootstrap(database);
  await expect(run("stranger")).rejects.toThrow('a role of which "stranger" is no member');
});

describe("a master user that is no superuser, such as RDS has", () => {
  const own = ownCluster();

  test("runs the script as a member of the owner", async () => {
    const database = await unprovisionedOn({ cluster: own() });
    const run = () => bootstrap(database, database.plan, ADMIN, database.admin("postgres"));
    const inherit = (await splits(database)) ? " with inherit true" : "";
    await runAs(database.admin(), `grant ${database.owner} to current_user${inherit}`);
    await run();
    expect(await run()).toEqual([]);
    expect(await database.provision()).toEqual({ ...NOTHING, passwordsSet: 3 });
    const lease = await issuerOn(database).issue("user-service--readonly");
    await (await logIn(database, lease)).end();
  });
});
