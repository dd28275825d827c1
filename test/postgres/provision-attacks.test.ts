import { beforeAll, expect, test } from "vitest";
import { enderName, groupRoleName, issuerRoleName, janitorName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { withSession } from "../../lambda/postgres/connection/session.ts";
import { ident, sql } from "../../lambda/postgres/connection/sql.ts";
import {
  LIMITS,
  provisioned,
  runAs,
  SECRETS,
  TEST_LIMITS,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";

const DENIED = { code: "42501" };

/** The SQLSTATE with which an attempt ends, or `undefined` when it succeeds. */
const outcome = (attempt: Promise<unknown>): Promise<string | undefined> =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  );

let database: TestDatabase;
let split: boolean;
beforeAll(async () => {
  database = await provisioned();
  const [row] = await runAs(database.admin(), "show server_version_num");
  split = Number(row?.server_version_num) >= 160_000;
});

/** A login without any privilege but PUBLIC's, and those of `group`. */
async function unknownUserIn(test: TestDatabase, group?: string) {
  const name = `unknown_${test.tag}_${group ?? "nothing"}`;
  const member = group === undefined ? "" : `in role ${groupRoleName(test.tag, group)}`;
  await runAs(test.superuser(), `create role ${name} login password 'outsider' ${member}`);
  return test.as(name, new Secret("outsider"));
}

test("functions that anybody put into public do not run with the power to create roles", async () => {
  const names = ["name, text, text", "text, text, text", "name, oid, text", "text, oid, text"];
  const traps = names.map(
    (types) => `
      create function public.has_schema_privilege(${types}) returns boolean language plpgsql
        as $$ begin insert into public.trapped values (current_user); return true; end $$;
      create function public.has_table_privilege(${types}) returns boolean language plpgsql
        as $$ begin insert into public.trapped values (current_user); return true; end $$;`,
  );
  const target = await unprovisioned({
    before: ({ database: name, owner }) => `
      create table public.trapped (who text);
      alter table public.trapped owner to ${owner};
      grant insert, select on public.trapped to public;
      ${traps.join("")}
      alter database ${name} set search_path = public, pg_catalog`,
  });
  await target.provision();
  expect(await runAs(target.superuser(), "select who from public.trapped")).toEqual([]);

  // the naive way: a connection that does not say where names are looked up
  await runAs(
    target.admin(),
    "set search_path = public, pg_catalog; select has_schema_privilege(current_user, 'public', 'USAGE')",
  );
  expect(await runAs(target.superuser(), "select who from public.trapped")).toEqual([
    { who: "mayfly_master" },
  ]);
});

test("an issuer role cannot read what its leases may", async () => {
  const login = { ...(await database.issuerLogin()), database: database.database };
  const shard = issuerRoleName(database.tag, 0);
  const read = "select customer from public.orders";
  const group = groupRoleName(database.tag, "readonly");
  for (const role of [shard, group, enderName(database.tag), janitorName(database.tag)])
    await expect(runAs(login, `set role ${role}; ${read}`)).rejects.toMatchObject(DENIED);
  await expect(runAs(login, read)).rejects.toMatchObject(DENIED);
  // and if somebody were the issuer role itself
  const asShard = (then: string) =>
    runAs(database.superuser(), `set session authorization ${shard}; ${then}`);
  await expect(asShard(read)).rejects.toMatchObject(DENIED);
  // before 16, whoever may grant a role is a member of it
  expect(await outcome(asShard(`set role ${group}; ${read}`))).toBe(split ? "42501" : undefined);
});

test("an issuer login becomes nobody, and makes and grants nothing as itself", async () => {
  for (const which of ["a", "b"] as const) {
    const login = await database.issuerLogin(which);
    for (const statement of [
      "create role mayfly_never",
      `grant ${groupRoleName(database.tag, "readonly")} to ${login.username}`,
      ...[0, 1].map((shard) => `set role ${issuerRoleName(database.tag, shard)}`),
      `set role ${enderName(database.tag)}`,
      `alter role ${login.username} createrole`,
    ])
      await expect(runAs(login, statement)).rejects.toMatchObject(DENIED);
    expect(
      await runAs(login, "select 1 from pg_auth_members where member = current_user::regrole"),
    ).toEqual([]);
  }
});

test("only issuer logins may enter the maintenance database", async () => {
  const maintenance = { database: "mayfly" };
  for (const login of [
    await unknownUserIn(database),
    await unknownUserIn(database, "readwrite"),
    await database.janitor(),
  ])
    await expect(runAs({ ...login, ...maintenance }, "select 1")).rejects.toMatchObject(DENIED);
  const [granted] = await runAs(
    await database.issuerLogin("b"),
    `select count(*)::int as direct from pg_database d, aclexplode(d.datacl) a
     join pg_roles r on r.oid = a.grantee
     where d.datname = 'mayfly' and r.rolname like 'mf\\_${database.tag}\\_login\\__'
       and a.privilege_type = 'CONNECT'`,
  );
  expect(granted).toEqual({ direct: 2 });
});

test("an issuer login cannot create anything in the maintenance database", async () => {
  const login = await database.issuerLogin();
  await expect(runAs(login, "create schema mine")).rejects.toMatchObject(DENIED);
  await expect(runAs(login, "create temp table mine ()")).rejects.toMatchObject(DENIED);
  // before 15, public belongs to the bootstrap superuser, and the log says what to run
  const [row] = await runAs(
    login,
    "select current_setting('server_version_num')::int < 150000 as old",
  );
  const open = database.lines.some((line) => line.includes("REVOKE ALL ON SCHEMA public"));
  expect(open).toBe(row?.old);
  expect(await outcome(runAs(login, "create table public.mine ()"))).toBe(
    open ? undefined : "42501",
  );
});

test("the janitor has no power over roles, and none over data", async () => {
  const janitor = await database.janitor();
  for (const statement of [
    "create role mayfly_never",
    `alter role ${janitor.username} createrole`,
    `grant ${groupRoleName(database.tag, "readwrite")} to ${janitor.username}`,
    `set role ${issuerRoleName(database.tag, 0)}`,
    "select customer from public.orders",
  ])
    await expect(runAs(janitor, statement)).rejects.toMatchObject(DENIED);
});

test("a GRANT that PostgreSQL only warns about is an error, and is not committed", async () => {
  const { database: name, owner, tag, admin, superuser } = database;
  await runAs(
    superuser(),
    `create table public.theirs (); grant select on public.theirs to ${owner};
     create table public.mine_${tag} (); alter table public.mine_${tag} owner to ${owner}`,
  );
  const grantee = groupRoleName(tag, "readwrite");
  const apply = withSession(admin(), TEST_LIMITS, (session) =>
    session.apply("grant both", [
      sql`set local role ${ident(owner)}`,
      sql`grant delete on public.${ident(`mine_${tag}`)} to ${ident(grantee)}`,
      sql`grant select on public.theirs to ${ident(grantee)}`,
    ]),
  );
  await expect(apply).rejects.toMatchObject({
    name: "StatementRejectedError",
    step: "grant both",
    engineCode: "01007",
  });
  expect(
    await runAs(
      superuser(name),
      `select has_table_privilege('${grantee}', 'public.mine_${tag}', 'DELETE') as committed`,
    ),
  ).toEqual([{ committed: false }]);
  await runAs(superuser(), "drop table public.theirs");
});

test.each(["inherit true, set false", "inherit false, set true"])(
  "a membership that another role widened (%s) is refused, with the SQL that narrows it",
  async (options) => {
    if (!split) return; // there, NOINHERIT is the issuer role's own attribute: next test
    const widened = await provisioned();
    const group = groupRoleName(widened.tag, "readonly");
    const shard = issuerRoleName(widened.tag, 0);
    await runAs(widened.superuser(), `grant ${group} to ${shard} with ${options}`);
    const refusal = await widened.provision().then(String, String);
    expect(refusal).toContain(
      `${shard} must administer ${group} and no more; have a DBA run: REVOKE "${group}" FROM "${shard}" GRANTED BY "rdsadmin"; then deploy again`,
    );
    await runAs(widened.superuser(), /have a DBA run: (.*;)/.exec(refusal)?.[1] ?? "");
    await widened.provision();
  },
);

test("an attribute that somebody changed is changed back", async () => {
  const changed = await provisioned();
  const [shard, login] = [issuerRoleName(changed.tag, 0), `mf_${changed.tag}_login_a`];
  await runAs(
    changed.superuser(),
    `alter role ${shard} inherit; alter role ${login} createrole connection limit 3`,
  );
  await changed.provision();
  expect(
    await runAs(
      changed.superuser(),
      `select rolinherit, rolcreaterole, rolconnlimit from pg_roles
       where rolname in ('${shard}', '${login}') order by rolname`,
    ),
  ).toEqual([
    { rolinherit: false, rolcreaterole: true, rolconnlimit: -1 },
    { rolinherit: false, rolcreaterole: false, rolconnlimit: 20 },
  ]);
});

test("a group does not lean on what PUBLIC may today", async () => {
  const target = await unprovisioned({
    before: ({ owner }) => `
      create schema shop; alter schema shop owner to ${owner};
      set role ${owner}; create table shop.cart (); grant usage on schema shop to public;
      grant select on shop.cart to public`,
  });
  await target.provision({
    ...target.plan,
    roles: {
      reader: {
        ...LIMITS,
        groupRole: groupRoleName(target.tag, "reader"),
        privileges: { select: ["shop.cart"] },
      },
    },
  });
  await runAs(
    target.superuser(),
    `revoke all on schema shop from public; revoke all on shop.cart from public;
     revoke all on database ${target.database} from public`,
  );
  const read = runAs(await unknownUserIn(target, "reader"), "select from shop.cart");
  expect(await outcome(read)).toBeUndefined();
});

test("a role that only looks like Mayfly's, with more power, is refused", async () => {
  const target = await unprovisioned();
  const name = `mf_${target.tag}_janitor`;
  await runAs(target.superuser(), `create role ${name} login bypassrls`);
  await expect(target.provision()).rejects.toThrow(
    `the role "${name}" exists with SUPERUSER, REPLICATION or BYPASSRLS`,
  );
  expect(target.secrets.puts()).toBe(0);
});

test("names are quoted, whatever they hold", async () => {
  const target = await unprovisioned({
    before: ({ owner }) => `
      create schema "Odd; ""drop'$mf"; alter schema "Odd; ""drop'$mf" owner to ${owner};
      set role ${owner}; create table "Odd; ""drop'$mf"."T'""; x" (id serial primary key)`,
  });
  await target.provision({
    ...target.plan,
    roles: {
      odd: {
        ...LIMITS,
        groupRole: groupRoleName(target.tag, "odd"),
        privileges: { select: [`Odd; "drop'$mf.*`], usage: [`Odd; "drop'$mf.*`] },
      },
    },
  });
  const outsider = await unknownUserIn(target, "odd");
  expect(
    await runAs(outsider, `select count(*)::int as n from "Odd; ""drop'$mf"."T'""; x"`),
  ).toEqual([{ n: 0 }]);
});

test("the placeholder that CloudFormation generated is never a login's password", async () => {
  for (const which of ["a", "b"] as const)
    expect((await database.issuerLogin(which)).password.reveal()).toMatch(/^[\w-]{32}$/);
  const janitor = (await database.secrets.getSecret(SECRETS.janitor))?.value.password;
  expect(janitor?.reveal()).toMatch(/^[\w-]{32}$/);
});
