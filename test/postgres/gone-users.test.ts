import { expect, test } from "vitest";
import { groupRoleName, issuerRoleName } from "../../core/names.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { composeReaders } from "../../lambda/handlers/compose-readers.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { eventually } from "../support/eventually.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { rolesOf } from "../support/provision-traces.ts";
import {
  provisioned,
  runAs,
  TEST_LIMITS,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";
import { putVersion, rolesNamed, rotatedPlan, whoIs, withUsers } from "../support/rotated.ts";

const NOTHING = changesOf();

/** A stack with both rotated secrets, and a session of the single user's. */
async function rotated() {
  const database = await unprovisioned();
  const rotation = await rotatedPlan(database);
  await database.provision(rotation.plan);
  const session = await connect(database.as(rotation.reports, "first-of-reports"), TEST_LIMITS);
  return { database, ...rotation, session };
}

/** Let a role own a table where nothing is to be granted. */
const owns = (database: TestDatabase, name: string) =>
  runAs(
    database.superuser(),
    `create schema kept; create table kept.kept (); alter table kept.kept owner to ${name}`,
  );

const commentOf = ({ tag }: TestDatabase): string => `mayfly rotated user of ${tag}/reports`;

test("users whose secrets leave the configuration go with their sessions", async () => {
  const { database, reports, writers, session } = await rotated();
  expect(await database.provision()).toEqual({ ...NOTHING, rolesDropped: 2 });
  await expect(session.query("select 1")).rejects.toThrow("connection");
  expect(await rolesNamed(database, [reports, ...writers])).toEqual([]);
  expect(database.warnings).toEqual([]);
  expect(await database.provision()).toEqual(NOTHING);
});

test("one secret goes, the other stays", async () => {
  const { database, plan, reports, writers, session } = await rotated();
  await session.end();
  const { writer } = plan.rotatedUsers ?? {};
  expect(await database.converge(withUsers(plan, { ...(writer && { writer }) }))).toEqual({
    ...NOTHING,
    rolesDropped: 1,
    warnings: [],
  });
  expect(await rolesNamed(database, [reports, ...writers])).toHaveLength(1);
  expect(await whoIs(database.as(writers[0], "first-of-writer"))).toBe(database.owner);
});

test("a user goes before the dynamic role's group that it was in, whose leases go too", async () => {
  const { database, plan, reports, session } = await rotated();
  const issuer = issuerOn(database);
  const lease = await logIn(database, await issuer.issue("user-service--readonly"));
  const { readonly: gone, ...roles } = plan.roles;
  expect(gone).toBeDefined();
  const grants = plan.grants.filter(({ role }) => role !== "readonly");
  const { writer } = plan.rotatedUsers ?? {};
  expect(
    await database.provision({ ...withUsers(plan, { ...(writer && { writer }) }), roles, grants }),
  ).toMatchObject({ rolesDropped: 2, leasesRevoked: 1 });
  await expect(session.query("select 1")).rejects.toThrow("connection");
  await expect(lease.query("select 1")).rejects.toThrow("connection");
  expect(await rolesNamed(database, [reports, groupRoleName(database.tag, "readonly")])).toEqual(
    [],
  );
  await issuer.close();
});

test("what a user owns is kept with it: it is shut, named in every report, and dropped later", async () => {
  const { database, reports, session } = await rotated();
  await session.end();
  await owns(database, reports);
  const kept = `the secret of a rotated user is gone, but the user is kept; have a DBA remove what keeps it, then drop it; role: ${reports}; what: it cannot log in: 1 in pg_class (owner), database ${database.database}`;
  expect(await database.converge()).toEqual({ ...NOTHING, rolesDropped: 1, warnings: [kept] });
  expect(await rolesNamed(database, [reports])).toMatchObject([{ login: false }]);
  expect(
    await runAs(
      database.superuser(),
      `select rolpassword, (select count(*)::int from pg_auth_members where member = r.oid) as groups
       from pg_authid r where rolname = '${reports}'`,
    ),
  ).toEqual([{ rolpassword: null, groups: 0 }]);
  expect(await database.converge()).toEqual({ ...NOTHING, warnings: [kept] });
  await runAs(database.superuser(), `alter table kept.kept owner to ${database.owner}`);
  expect(await database.converge()).toEqual({ ...NOTHING, rolesDropped: 1, warnings: [] });
});

test("a secret that comes back opens its user again", async () => {
  const { database, plan, reports, session } = await rotated();
  await session.end();
  await owns(database, reports);
  await database.provision();
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe("28P01");
  putVersion(database, "reports", [reports, "of-the-new-secret"]);
  expect(await database.provision(plan)).toMatchObject({ passwordsSet: 2, rolesCorrected: 1 });
  expect(await whoIs(database.as(reports, "of-the-new-secret"))).toBe(reports);
});

test("a membership that a user passed on keeps it, on servers that mind", async () => {
  const { database, reports, session } = await rotated();
  await session.end();
  const [group, friend] = [`shared_${database.tag}`, `friend_${database.tag}`];
  await runAs(
    database.superuser(),
    `create role ${group}; create role ${friend}; grant ${group} to ${reports} with admin option;
     set role ${reports}; grant ${group} to ${friend}`,
  );
  const { rolesDropped, warnings } = await database.converge();
  const isKept = (await rolesNamed(database, [reports])).length > 0;
  expect(rolesDropped).toBe(isKept ? 1 : 2);
  expect(warnings.join()).toContain(isKept ? "somebody has a membership from it" : "");
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe("28P01");
});

test("the Delete of a stack takes its users along, and those of no other", async () => {
  const { database, reports, writers, session } = await rotated();
  const other = await rotated();
  await database.remove();
  await expect(session.query("select 1")).rejects.toThrow("connection");
  expect(await rolesNamed(database, [reports, ...writers])).toEqual([]);
  expect(await rolesOf(database)).toEqual([]);
  await other.session.query("select count(*) from public.orders");
  await other.session.end();
  expect(await rolesNamed(database, [other.reports])).toHaveLength(1);
});

test("a Delete leaves what owns something, shut, and says so", async () => {
  const { database, reports, session } = await rotated();
  await session.end();
  await owns(database, reports);
  await database.remove();
  expect(await rolesNamed(database, [reports])).toMatchObject([{ login: false }]);
  expect(database.warnings[0]).toContain(
    `"role":"${reports}","what":"it cannot log in: 1 in pg_class`,
  );
  expect(await rolesOf(database)).toEqual([]);
});

test("a user is kept, shut, while a reader cannot be looked at", async () => {
  const database = await unprovisioned({
    readers: (login) =>
      composeReaders(
        { DB_READERS: "127.0.0.1:1" },
        {
          login,
          ssl: () => false,
          open: (to) => connect(to, TEST_LIMITS),
          tag: database.tag,
          time: { now: () => Date.now() as never, wait: async () => {} },
        },
      ),
  });
  const { plan, reports } = await rotatedPlan(database);
  await database.provision(plan);
  const { rolesDropped, warnings } = await database.converge();
  expect(rolesDropped).toBe(0);
  expect(warnings[0]).toContain(
    `role: ${reports}; what: it cannot log in, but sessions may be left on 127.0.0.1:1`,
  );
  expect(await rolesNamed(database, [reports])).toMatchObject([{ login: false }]);
});

test("a comment does not make a rotated user of a lease, of Mayfly's own roles, or of the mighty", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const credential = await issuer.issue();
  const session = await logIn(database, credential);
  const mighty = ["createrole", "superuser", "createdb", "replication", "bypassrls"].map(
    (what) => ({
      what,
      name: `${what}_${database.tag}`,
    }),
  );
  const named = [
    credential.username,
    groupRoleName(database.tag, "readonly"),
    issuerRoleName(database.tag, 0),
    `mf_${database.tag}_janitor`,
    ...mighty.map(({ name }) => name),
  ];
  await runAs(
    database.superuser(),
    [
      ...mighty.map(({ name, what }) => `create role ${name} login ${what}`),
      ...named.map((name) => `comment on role "${name}" is '${commentOf(database)}'`),
    ].join(";"),
  );
  const { rolesDropped, warnings } = await database.converge();
  expect(rolesDropped).toBe(0);
  expect(warnings).toHaveLength(5);
  expect(warnings.join()).toContain("it has more power than Mayfly gave it");
  expect(await rolesNamed(database, named)).toHaveLength(named.length);
  await session.query("select count(*) from public.orders");
  await session.end();
  await issuer.close();
  await runAs(
    database.superuser(),
    mighty.map(({ name }) => `comment on role ${name} is null; drop role ${name}`).join(";"),
  );
});

test("a lease cannot say that it, or another role, is a rotated user", async () => {
  const { database, reports, session } = await rotated();
  const issuer = issuerOn(database);
  const credential = await issuer.issue("user-service--readwrite");
  const lease = await logIn(database, credential);
  for (const name of [credential.username, reports, database.owner])
    await expect(
      lease.query(`comment on role "${name}" is '${commentOf(database)}'`),
    ).rejects.toMatchObject({ code: "42501" });
  // nor a rotated user, of itself or of another
  for (const name of [reports, database.owner])
    await expect(session.query(`comment on role "${name}" is null`)).rejects.toMatchObject({
      code: "42501",
    });
  await lease.end();
  await session.end();
  await issuer.close();
});

test("a user that logs in again and again while it goes has no session afterwards", async () => {
  const { database, reports, session } = await rotated();
  await session.end();
  let stop = false;
  const loops = Array.from({ length: 4 }, async () => {
    while (!stop)
      await runAs(database.as(reports, "first-of-reports"), "select pg_sleep(1)").catch(() => {});
  });
  await eventually(async () => (await sessionsOf(database, reports)) > 0);
  expect(await database.provision()).toMatchObject({ rolesDropped: 2 });
  stop = true;
  await Promise.all(loops);
  expect(
    await runAs(
      database.superuser(),
      "select count(*)::int as n from pg_stat_activity a where usesysid is not null and not exists (select from pg_roles r where r.oid = a.usesysid)",
    ),
  ).toEqual([{ n: 0 }]);
});

const sessionsOf = async (database: TestDatabase, name: string): Promise<number> =>
  Number(
    (
      await runAs(
        database.superuser(),
        `select count(*)::int as n from pg_stat_activity where usename = '${name}'`,
      )
    )[0]?.n,
  );
