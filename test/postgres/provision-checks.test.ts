import { describe, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import type { PlannedRole, ProvisionPlan } from "../../core/provisioning/plan.ts";
import { Secret } from "../../core/secret.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import {
  LIMITS,
  runAs,
  SECRETS,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";

const MASTER = "mayfly_master";

/** Provision, expect a refusal with nothing changed, and return its problems, one a line. */
async function problemsOf(test: TestDatabase, plan = test.plan, roles = 0): Promise<string[]> {
  const before = await tracesOf(test);
  const error: unknown = await test.provision(plan).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "ConfigError" });
  expect(await tracesOf(test)).toEqual(before);
  expect(await rolesOf(test)).toHaveLength(roles);
  const [introduction, ...problems] = (error as Error).message.split("\n");
  expect(introduction).toBe("the database is not ready, and nothing was changed:");
  return problems.map((line) => line.replace(/^- /, ""));
}

/** The SQL in a problem, as it is printed. */
const remedyIn = (problem: string): string =>
  /have a DBA run: (.*?;)(?= or leave | or say | or, | and likewise |$)/m.exec(problem)?.[1] ?? "";

/** Whether the group of a dynamic role may read a table of `public`. */
async function readsAs(test: TestDatabase, role: string, table: string): Promise<unknown> {
  const [row] = await runAs(
    test.superuser(),
    `select has_table_privilege('${groupRoleName(test.tag, role)}', 'public.${table}', 'select') as reads`,
  );
  return row?.reads;
}

/** Let another admin provision, made by the superuser with these attributes. */
async function useAdmin(test: TestDatabase, attributes: string): Promise<string> {
  const username = `admin_${test.tag}`;
  await runAs(
    test.superuser(),
    `create role ${username} login password 'of-this-test' ${attributes}`,
  );
  await test.secrets.putSecret(
    SECRETS.admin,
    { username, password: new Secret("of-this-test"), dbname: test.database },
    { clientRequestToken: "another" },
  );
  return username;
}

/** Whether memberships have the options of PostgreSQL 16 and newer. */
async function splitsMembership(test: TestDatabase): Promise<boolean> {
  const [row] = await runAs(test.superuser(), "show server_version_num");
  return Number(row?.server_version_num) >= 160_000;
}

const withRole = (test: TestDatabase, select: readonly string[]): ProvisionPlan => ({
  ...test.plan,
  roles: {
    reader: { ...LIMITS, groupRole: groupRoleName(test.tag, "reader"), privileges: { select } },
  },
});

test("every problem is reported at once, each with the SQL that removes it", async () => {
  const database = await unprovisioned();
  const admin = await useAdmin(database, "nocreaterole nocreatedb");
  const { tag, owner } = database;
  const problems = await problemsOf(database, {
    ...withRole(database, ["nowhere.*", "public.nothing", "public.orders"]),
    databases: [database.database, "absent"],
  });
  const split = await splitsMembership(database);
  expect(problems).toEqual([
    `"${admin}" may not create roles; have a DBA run: ALTER ROLE "${admin}" CREATEROLE;`,
    `"${admin}" may not create the maintenance database "mayfly"; have a DBA run: ALTER ROLE "${admin}" CREATEDB;`,
    `the database "absent" does not exist; correct "databases"; have a DBA run: CREATE DATABASE "absent";`,
    ...(split
      ? [
          `"${admin}" may not grant pg_signal_backend, which ends sessions; have a DBA run: GRANT "pg_signal_backend" TO "${admin}" WITH ADMIN OPTION;`,
        ]
      : []),
    `in database "app_${tag}": "${admin}" cannot become the owner "${owner}", who must grant what the groups lack there, 3 privileges; have a DBA run: GRANT "${owner}" TO "${admin}"${split ? " WITH INHERIT FALSE, SET TRUE" : ""};`,
    `in database "app_${tag}": the schema "nowhere" does not exist; have a DBA run: CREATE SCHEMA "nowhere" AUTHORIZATION "${owner}";`,
    `in database "app_${tag}": there is no table public.nothing; create it, or take it out of the privileges`,
  ]);
});

test("what the problems say is what removes them", async () => {
  const database = await unprovisioned();
  await useAdmin(database, "nocreaterole nocreatedb");
  const plan = withRole(database, ["fresh.*"]);
  for (const problem of await problemsOf(database, plan)) {
    await runAs(database.superuser(), remedyIn(problem));
  }
  await database.provision(plan);
  expect(await rolesOf(database)).toHaveLength(7);

  const another = await unprovisioned();
  expect(await problemsOf(another)).toEqual([
    'the maintenance database "mayfly" belongs to another role; have a DBA run: ALTER DATABASE "mayfly" OWNER TO "mayfly_master";',
  ]);
  await runAs(another.superuser(), "alter database mayfly owner to mayfly_master");
  await another.provision();
});

test("tables of somebody else in a schema are named, and nothing is half done", async () => {
  const database = await unprovisioned({
    before: () => "create table public.foreign_one (id serial); create table public.foreign_two ()",
  });
  const problems = await problemsOf(database);
  expect(problems).toEqual([
    `in database "${database.database}": public.foreign_one, public.foreign_two belong to "rdsadmin", and the owner "${database.owner}" may not grant INSERT, SELECT, UPDATE there; have a DBA run: GRANT insert, select, update ON TABLE "public"."foreign_one", "public"."foreign_two" TO "${database.owner}" WITH GRANT OPTION; or leave out what a pattern means: except: ["public.foreign_one", "public.foreign_two"]`,
    `in database "${database.database}": public.foreign_one_id_seq belongs to "rdsadmin", and the owner "${database.owner}" may not grant SELECT, USAGE there; have a DBA run: GRANT select, usage ON SEQUENCE "public"."foreign_one_id_seq" TO "${database.owner}" WITH GRANT OPTION; or leave out what a pattern means: except: ["public.foreign_one_id_seq"]`,
  ]);
  for (const remedy of problems.map(remedyIn)) await runAs(database.superuser(), remedy);
  await database.provision();
  const lent = await readsAs(database, "readonly", "foreign_one");
  expect(lent).toBe(true);
});

test("what is excepted is not asked for, not granted, and taken away again", async () => {
  const database = await unprovisioned({
    before: ({ owner }) =>
      `create table public.foreign_one (id serial); create table public."Audit, odd" ();
       alter table public."Audit, odd" owner to ${owner}`,
  });
  const except = ["public.foreign_one", "public.foreign_one_id_seq", "public.Audit, odd"];
  const excepting = (names: readonly string[]): ProvisionPlan => ({
    ...database.plan,
    roles: Object.fromEntries(
      Object.entries(database.plan.roles).map(([name, role]) => [
        name,
        { ...role, privileges: { ...role.privileges, except: names } },
      ]),
    ),
  });
  await database.provision(excepting(except.slice(0, 2)));
  expect(await readsAs(database, "readonly", '"Audit, odd"')).toBe(true);
  expect(await readsAs(database, "readonly", "foreign_one")).toBe(false);

  // four privileges of two groups on one table
  expect(await database.provision(excepting(except))).toMatchObject({ privilegesWithdrawn: 4 });
  expect(await readsAs(database, "readonly", '"Audit, odd"')).toBe(false);
  expect(await database.provision(excepting(except))).toMatchObject({
    privilegesGranted: 0,
    privilegesWithdrawn: 0,
    watchesBegun: 0,
    watchesEnded: 0,
  });

  // what the owner makes again has the default privileges, until the next converge
  await runAs(
    database.superuser(),
    `set role ${database.owner}; drop table public."Audit, odd"; create table public."Audit, odd" ()`,
  );
  expect(await readsAs(database, "readonly", '"Audit, odd"')).toBe(true);
  expect(await database.converge(excepting(except))).toMatchObject({
    privilegesGranted: 0,
    privilegesWithdrawn: 4,
  });
  expect(await readsAs(database, "readonly", '"Audit, odd"')).toBe(false);
  await runAs(database.superuser(), 'grant select on public."Audit, odd" to public');
  await database.converge(excepting(except));
  expect(database.warnings.at(-1)).toContain("has SELECT on public.Audit, odd");
});

test("the tables of an extension are not asked for", async () => {
  const database = await unprovisioned({
    before: () => "create extension pg_buffercache schema public",
  });
  await database.provision();
  const [row] = await runAs(
    database.superuser(),
    "select relacl::text as acl from pg_class where relname = 'pg_buffercache'",
  );
  expect(row?.acl).not.toContain(`mf_${database.tag}`);
});

test("a schema that neither the owner nor the admin can open is named", async () => {
  const database = await unprovisioned({
    before: ({ owner }) =>
      `create schema closed; create table closed.t (); alter table closed.t owner to ${owner}`,
  });
  const plan = withRole(database, ["closed.t"]);
  const { owner } = database;
  expect(await problemsOf(database, plan)).toEqual([
    `in database "${database.database}": the owner "${owner}" may not enter the schema "closed"; have a DBA run: GRANT USAGE ON SCHEMA "closed" TO "${owner}" WITH GRANT OPTION;`,
  ]);
  await runAs(database.superuser(), `grant usage on schema closed to ${owner}`);
  expect(await problemsOf(database, plan)).toEqual([
    `in database "${database.database}": the owner "${owner}" may not let others into the schema "closed"; have a DBA run: GRANT USAGE ON SCHEMA "closed" TO "${owner}" WITH GRANT OPTION;`,
  ]);
  await runAs(database.superuser(), `grant usage on schema closed to ${owner} with grant option`);
  await database.provision(plan);
});

test("a database in which nobody may grant CONNECT is named", async () => {
  const database = await unprovisioned({
    before: ({ database: name }) =>
      `alter database ${name} owner to rdsadmin; revoke connect on database ${name} from public;
       grant connect on database ${name} to mayfly_master`,
  });
  expect(await problemsOf(database)).toEqual([
    `neither "mayfly_master" nor the owner may grant CONNECT on the database "${database.database}"; have a DBA run: GRANT CONNECT ON DATABASE "${database.database}" TO "mayfly_master" WITH GRANT OPTION;`,
  ]);
});

test("a database closed to PUBLIC is opened to the groups and the janitor alone", async () => {
  const database = await unprovisioned({
    before: ({ database: name }) => `revoke connect on database ${name} from public`,
  });
  await database.provision();
  await runAs(await database.janitor(), "select 1");
  const login = await database.issuerLogin();
  await expect(runAs({ ...login, database: database.database }, "select 1")).rejects.toMatchObject({
    code: "42501",
  });
});

test("an owner that is a superuser, or is not there, is refused", async () => {
  const database = await unprovisioned();
  expect(await problemsOf(database, { ...database.plan, owner: "rdsadmin" })).toContainEqual(
    expect.stringContaining('the owner "rdsadmin" is a superuser'),
  );
  expect(await problemsOf(database, { ...database.plan, owner: 'no"body' })).toEqual([
    'the owner "no""body" does not exist; set "owner" to the role that owns the tables; have a DBA run: CREATE ROLE "no""body" NOLOGIN;',
  ]);
});

test("an admin that is a superuser is refused", async () => {
  const database = await unprovisioned();
  const admin = await useAdmin(database, "superuser");
  expect(await problemsOf(database)).toEqual([
    expect.stringContaining(`"${admin}" is a superuser`),
  ]);
});

test("a right over roles that the admin does not inherit is named", async () => {
  const database = await unprovisioned();
  const admin = await useAdmin(database, "noinherit createrole createdb");
  await runAs(database.superuser(), `grant ${database.owner}, mayfly_master to ${admin}`);
  if (!(await splitsMembership(database))) return;
  await runAs(
    database.superuser(),
    `grant mayfly_master to ${admin} with inherit true; grant rds_superuser to ${admin};
     create role mf_${database.tag}_janitor`,
  );
  // mayfly_master inherits rds_superuser, and so does whoever inherits mayfly_master
  await runAs(database.superuser(), "revoke rds_superuser from mayfly_master");
  try {
    expect(await problemsOf(database, database.plan, 1)).toEqual([
      `"${admin}" may not grant pg_signal_backend, which ends sessions; have a DBA run: GRANT "pg_signal_backend" TO "${admin}" WITH ADMIN OPTION;`,
      `the role mf_${database.tag}_janitor exists, and "${admin}" may not alter it; have a DBA run: GRANT "mf_${database.tag}_janitor" TO "${admin}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`,
    ]);
  } finally {
    await runAs(database.superuser(), "grant rds_superuser to mayfly_master");
  }
});

test("a secret without a database's name, such as RDS manages, is refused", async () => {
  const database = await unprovisioned();
  await database.secrets.putSecret(
    SECRETS.admin,
    { username: "mayfly_master", password: new Secret("x") },
    { clientRequestToken: "managed" },
  );
  await expect(database.provision()).rejects.toThrow(
    "the admin secret admin must have the keys username, password and dbname; secrets that RDS manages hold no dbname and are not supported",
  );
});

describe("a role that writes where its leases may create", () => {
  const writer = (test: TestDatabase, change: Partial<PlannedRole> = {}): ProvisionPlan => ({
    ...test.plan,
    roles: {
      writer: {
        ...LIMITS,
        groupRole: groupRoleName(test.tag, "writer"),
        privileges: { select: ["public.*"], insert: ["shop.*"] },
        ...change,
      },
    },
  });
  const shop = (owner: string, more: string) =>
    `create schema shop; grant usage on schema shop to ${owner} with grant option;
     revoke create on schema public from public; ${more}`;

  test.each([
    ["everybody, in a schema of a DBA's", () => "grant create on schema shop to public"],
    [
      "everybody, by somebody else's grant",
      (owner: string) =>
        `grant create on schema shop to mayfly_master with grant option; set role mayfly_master;
         grant create on schema shop to public; reset role; grant create on schema shop to ${owner}`,
    ],
    ["everybody, in public", () => "grant create on schema public to public"],
    [
      "everybody, in another schema than the role's",
      () => "create schema scratch; grant create on schema scratch to public",
    ],
    [
      "everybody, in the database",
      (owner: string) => `grant create on database app_${owner.replace("owner_", "")} to public`,
    ],
    [
      "the group, as a member of a role",
      (owner: string, group: string) =>
        `create role "may create ${owner}"; create role ${group};
         grant create on schema shop to "may create ${owner}";
         grant "may create ${owner}" to ${group}; grant ${group} to mayfly_master with admin option`,
    ],
  ])("is refused, with what ends that: %s", async (_, more) => {
    const database = await unprovisioned({
      before: ({ owner }) =>
        shop(owner, more(owner, groupRoleName(owner.replace("owner_", ""), "writer"))),
    });
    const creates = async () =>
      runAs(
        database.superuser(),
        `select has_schema_privilege('${database.owner}', n.nspname, 'create') as may
         from pg_namespace n where n.nspname in ('public', 'shop') order by n.nspname`,
      );
    const roles = await rolesOf(database);
    const ownerCould = await creates();
    const problems = await problemsOf(database, writer(database), roles.length);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/ or say allowCreate: true of the role "writer"$/);
    await database.provision(writer(database, { privileges: { select: ["shop.*"] } }));
    await database.provision(writer(database, { allowCreate: true }));
    await expect(database.provision(writer(database))).rejects.toThrow("allowCreate");
    await runAs(database.superuser(), remedyIn(problems[0] ?? ""));
    // migrations are the owner's
    expect(await creates()).toEqual(ownerCould);
    await database.provision(writer(database));
  });

  test("allowCreate leaves what a DBA granted to the group; without it, it is taken away", async () => {
    const database = await unprovisioned({ before: ({ owner }) => shop(owner, "select 1") });
    const plan = writer(database, { allowCreate: true });
    await database.provision(plan);
    const { groupRole = "" } = plan.roles.writer ?? {};
    await runAs(database.superuser(), `grant create on schema shop to ${groupRole}`);
    expect(await database.provision(plan)).toMatchObject({ privilegesWithdrawn: 0 });
    const refusal = await database.provision(writer(database)).then(String, String);
    await runAs(database.superuser(), remedyIn(refusal));
    await database.provision(writer(database));
  });
});

/** What somebody has done, and what of it the problem says. */
const wrongs: readonly (readonly [string, (test: TestDatabase) => string, string])[] = [
  [
    "a role of Mayfly's with a power that none may have",
    ({ tag }) => `create role mf_${tag}_janitor bypassrls`,
    "ALTER ROLE",
  ],
  ["a schema that is not there any more", () => "drop schema shop cascade", "CREATE SCHEMA"],
  ["a sequence of somebody else's", () => `create sequence shop."odd; one"`, "GRANT"],
  [
    "a foreign table, a view and a partitioned table of somebody else's",
    () => `create view shop.seen as select 1 as one; create table shop.parted (id int) partition by list (id);
      create extension if not exists postgres_fdw; create server elsewhere foreign data wrapper postgres_fdw;
      create foreign table shop.far (id int) server elsewhere`,
    "GRANT",
  ],
  [
    "a grant to a group by somebody whom the administrator cannot become",
    ({ tag }) =>
      `create role "odd\n${tag}"; grant truncate on public.orders to "odd\n${tag}" with grant option;
       create role mf_${tag}_group_reader; grant mf_${tag}_group_reader to ${MASTER} with admin option;
       set role "odd\n${tag}"; grant truncate on public.orders to mf_${tag}_group_reader`,
    "SET ROLE",
  ],
  [
    "a database that lets the administrator in no more, nor anybody",
    ({ database }) =>
      `alter database ${database} owner to rdsadmin; revoke connect on database ${database} from public`,
    "GRANT CONNECT",
  ],
  [
    "an owner whom the administrator cannot become any more",
    ({ owner }) => `revoke ${owner} from ${MASTER} cascade`,
    "GRANT",
  ],
];

test.each(wrongs)("is removed by the SQL that is printed: %s", async (_, wrong, remedy) => {
  const database = await unprovisioned({
    before: ({ owner }) => `create schema shop authorization ${owner}`,
  });
  await runAs(database.superuser(), wrong(database));
  const plan: ProvisionPlan = {
    ...database.plan,
    roles: {
      reader: {
        ...LIMITS,
        groupRole: groupRoleName(database.tag, "reader"),
        privileges: { select: ["shop.*", "public.*"], usage: ["shop.*"] },
      },
    },
  };
  const printed: string[][] = [];
  for (;;) {
    const refusal = await database.provision(plan).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (refusal === undefined) break;
    const statements = refusal.split("\n").map(remedyIn);
    expect(printed.push(statements)).toBeLessThan(4);
    for (const statement of statements) await runAs(database.superuser(), statement);
  }
  expect(printed[0]?.join()).toContain(remedy);
});
