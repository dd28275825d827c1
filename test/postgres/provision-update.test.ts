import { expect, test } from "vitest";
import { NotAllowedError } from "../../core/errors.ts";
import { groupRoleName, issuerRoleName } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import type { Privileges } from "../../core/provisioning/privilege-kinds.ts";
import { issuerOn, logIn, sqlStateFrom } from "../support/leases.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import { LIMITS, provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";

const DENIED = "42501";

/** The plan with other privileges for one role. */
function withPrivileges({ tag, plan }: TestDatabase, role: string, privileges: Privileges) {
  const groupRole = groupRoleName(tag, role);
  const former = plan.roles[role];
  return {
    ...plan,
    roles: { ...plan.roles, [role]: { ...LIMITS, ...former, groupRole, privileges } },
  };
}

/** The plan without a role, or without a consumer. */
function without(
  { plan }: TestDatabase,
  what: { role?: string; consumer?: string },
): ProvisionPlan {
  const roles = Object.entries(plan.roles).filter(([name]) => name !== what.role);
  return {
    ...plan,
    roles: Object.fromEntries(roles),
    grants: plan.grants.filter(
      ({ role, consumer }) => role !== what.role && consumer !== what.consumer,
    ),
  };
}

const may = async ({ superuser, tag }: TestDatabase, role: string, privilege: string) => {
  const [row] = await runAs(
    superuser(),
    `select has_table_privilege('${groupRoleName(tag, role)}', 'public.orders', '${privilege}') as may`,
  );
  return row?.may;
};

test("a privilege that left the configuration is refused to a live lease's next statement", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue("user-service--readwrite"));
  await session.query("update public.orders set total_cents = 1");
  await database.provision(
    withPrivileges(database, "readwrite", { select: ["public.*"], insert: ["public.*"] }),
  );
  expect(await sqlStateFrom(session.query("update public.orders set total_cents = 2"))).toBe(
    DENIED,
  );
  expect((await session.query("select count(*)::int as n from public.orders")).rows).toEqual([
    { n: 5 },
  ]);
  // neither on tables that are made later, nor on the sequences
  await runAs(
    database.admin(),
    `set role ${database.owner}; create table public.later (id serial)`,
  );
  expect(await sqlStateFrom(session.query("update public.later set id = 1"))).toBe(DENIED);
  expect(await sqlStateFrom(session.query("insert into public.later default values"))).toBe(DENIED);
  await session.query("insert into public.later values (1)");
  await session.end();
  await issuer.close();
});

test("schema.* that became one table keeps that one, and comes back whole", async () => {
  const database = await provisioned();
  await runAs(database.admin(), `set role ${database.owner}; create table public.other ()`);
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue("user-service--readonly"));
  await database.provision(withPrivileges(database, "readonly", { select: ["public.orders"] }));
  expect(await sqlStateFrom(session.query("select from public.other"))).toBe(DENIED);
  await session.query("select from public.orders");
  await database.provision();
  await session.query("select from public.other");
  const before = await tracesOf(database);
  await database.provision();
  expect(await tracesOf(database)).toEqual(before);
  await session.end();
  await issuer.close();
});

test("what a DBA gave a group by hand is taken away, whoever granted it and on whatever", async () => {
  const database = await provisioned();
  const { owner, tag, superuser, admin } = database;
  const group = groupRoleName(tag, "readonly");
  await runAs(
    superuser(),
    `create role grantor_${tag}; grant grantor_${tag} to ${admin().username};
     create schema side; alter schema side owner to ${owner};
     grant create, temporary on database ${database.database} to ${group};
     set role ${owner};
     grant usage, create on schema side to ${group};
     grant all on public.orders to ${group} with grant option;
     grant update (customer) on public.orders to ${group};
     grant delete on public.orders to grantor_${tag} with grant option;
     alter default privileges in schema public grant delete on tables to ${group};
     alter default privileges grant insert on tables to ${group};
     set role grantor_${tag};
     grant delete on public.orders to ${group}`,
  );
  await database.provision();
  expect(
    await runAs(
      superuser(),
      `select privilege_type, is_grantable, b.rolname from pg_class c, aclexplode(c.relacl) a
       join pg_roles g on g.oid = a.grantee join pg_roles b on b.oid = a.grantor
       where c.relname = 'orders' and g.rolname = '${group}'`,
    ),
  ).toEqual([{ privilege_type: "SELECT", is_grantable: false, rolname: owner }]);
  for (const privilege of ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "SELECT WITH GRANT OPTION"])
    expect(await may(database, "readonly", privilege)).toBe(false);
  expect(
    await runAs(
      superuser(),
      `select has_any_column_privilege('${group}', 'public.orders', 'UPDATE') as col,
        has_database_privilege('${group}', '${database.database}', 'CREATE') as db,
        (select count(*)::int from pg_default_acl d, aclexplode(d.defaclacl) a
          join pg_roles g on g.oid = a.grantee where g.rolname = '${group}') as defaults,
        has_schema_privilege('${group}', 'side', 'USAGE') as side`,
    ),
  ).toEqual([{ col: false, db: false, defaults: 1, side: false }]);
});

test("what the administrator cannot take away is refused beforehand, with the SQL that does", async () => {
  const database = await provisioned();
  const { tag, owner, superuser } = database;
  const group = groupRoleName(tag, "readonly");
  await runAs(
    superuser(),
    `create role far_${tag}; set role ${owner}; grant delete on public.orders to far_${tag} with grant option;
     reset role; set role far_${tag}; grant delete on public.orders to ${group}`,
  );
  const error: unknown = await database.provision().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "ConfigError" });
  const [, remedy = ""] = /have a DBA run: (.*)$/m.exec(String(error)) ?? [];
  expect(remedy).toContain(`SET ROLE "far_${tag}"; revoke delete on table "public"."orders"`);
  await runAs(superuser(), remedy);
  await database.provision();
  expect(await may(database, "readonly", "DELETE")).toBe(false);
});

test("what PUBLIC, a membership or ownership still lets a group do is reported", async () => {
  const database = await provisioned();
  const { tag, owner, superuser } = database;
  const group = groupRoleName(tag, "readonly");
  expect(database.warnings).toEqual([]);
  await runAs(
    superuser(),
    `create role wide_${tag}; grant wide_${tag} to ${group};
     set role ${owner}; grant insert on public.orders to public; reset role;
     create schema side; create table side.owned (); alter table side.owned owner to ${group}`,
  );
  await database.provision();
  const [last = ""] = database.warnings.slice(-1);
  expect(last).toContain(`${group} has INSERT on public.orders`);
  expect(last).toContain(`${group} is a member of wide_${tag}`);
  expect(last).toContain(`${group} has DELETE on side.owned`);
  expect(last).toContain(`${group} owns 1 objects`);
});

test("a dynamic role that left the configuration takes its leases and its group along", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const gone = await logIn(database, await issuer.issue("user-service--readwrite"));
  const kept = await logIn(database, await issuer.issue("reporting--readonly"));
  await database.provision(without(database, { role: "readwrite" }));
  await expect(gone.query("select 1")).rejects.toThrow("connection");
  await kept.query("select count(*) from public.orders");
  const left = await rolesOf(database);
  expect(left.filter((name) => name.includes("readwrite"))).toEqual([]);
  expect(left.filter((name) => name.includes("_readonly_"))).toHaveLength(1);
  expect(database.audit.map(({ event }) => event)).toEqual(["lease.revoking", "lease.revoked"]);
  await expect(issuer.issue("user-service--readwrite")).rejects.toBeInstanceOf(NotAllowedError);
  await database.provision();
  await issuer.issue("user-service--readwrite");
  await kept.end();
  await issuer.close();
});

test("a consumer that left the configuration takes its leases along, and nobody else's", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const gone = await logIn(database, await issuer.issue("reporting--readonly"));
  const kept = await logIn(database, await issuer.issue("user-service--readonly"));
  await database.provision(without(database, { consumer: "reporting" }));
  await expect(gone.query("select 1")).rejects.toThrow("connection");
  await kept.query("select count(*) from public.orders");
  expect((await rolesOf(database)).filter((name) => name.includes("reporting"))).toEqual([]);
  // its function may still be deployed with the grant: the database says no
  await expect(issuer.issue("reporting--readonly")).rejects.toBeInstanceOf(NotAllowedError);
  await kept.end();
  await issuer.close();
});

test("a group that owns objects is kept, without a privilege, and reported", async () => {
  const database = await provisioned();
  const group = groupRoleName(database.tag, "readwrite");
  await runAs(
    database.superuser(),
    `create schema side; create table side.estate (); alter table side.estate owner to ${group}`,
  );
  await database.provision(without(database, { role: "readwrite" }));
  expect(await rolesOf(database)).toContain(group);
  expect(await may(database, "readwrite", "SELECT")).toBe(false);
  expect(await runAs(database.superuser(), "select from side.estate")).toEqual([]);
  expect(database.warnings.join()).toContain(`"role":"${group}","what":"1 in pg_class (owner)`);
});

test("a database that left the configuration is closed to the groups and the janitor", async () => {
  const database = await provisioned();
  const second = `second_${database.tag}`;
  await runAs(database.admin("postgres"), `create database ${second}`);
  await runAs(
    database.superuser(second),
    `create table public.t (); alter table public.t owner to ${database.owner};
     grant usage on schema public to ${database.owner} with grant option;
     revoke connect on database ${second} from public`,
  );
  const { plan } = database;
  await database.provision({ ...plan, databases: [database.database, second] });
  const group = groupRoleName(database.tag, "readonly");
  const access = async () =>
    runAs(
      database.superuser(second),
      `select has_table_privilege('${group}', 'public.t', 'SELECT') as reads,
        has_database_privilege('${group}', '${second}', 'CONNECT') as enters,
        has_database_privilege('mf_${database.tag}_janitor', '${second}', 'CONNECT') as janitor`,
    );
  expect(await access()).toEqual([{ reads: true, enters: true, janitor: true }]);
  await database.provision();
  expect(await access()).toEqual([{ reads: false, enters: false, janitor: false }]);
});

test("issuer roles are added and never taken away", async () => {
  const database = await provisioned();
  await database.provision({ ...database.plan, shards: 3 });
  await database.provision({ ...database.plan, shards: 1 });
  expect(await rolesOf(database)).toContain(issuerRoleName(database.tag, 2));
});
