import { expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { issuerOn } from "../support/leases.ts";
import { tracesOf } from "../support/provision-traces.ts";
import {
  provisioned,
  ROTATED,
  runAs,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";
import { putVersion, rolesNamed, rotatedPlan, whoIs, withUsers } from "../support/rotated.ts";

const NOTHING = changesOf();

/** A stack with both rotated secrets. */
async function rotated() {
  const database = await unprovisioned();
  const rotation = await rotatedPlan(database);
  await database.provision(rotation.plan);
  return { database, ...rotation };
}

const stateOf = (database: TestDatabase, name: string) =>
  runAs(
    database.superuser(),
    `select r.rolname, r.rolpassword, r.xmin, r.rolinherit, r.rolcreaterole, r.rolvaliduntil,
       shobj_description(r.oid, 'pg_authid') as comment,
       (select array_agg(m.xmin order by m.roleid) from pg_auth_members m where m.member = r.oid) as groups,
       (select setconfig from pg_db_role_setting s where s.setrole = r.oid) as settings
     from pg_authid r where r.rolname = '${name}'`,
  );

test("the users that the secrets hold are made, and log in with what their groups may", async () => {
  const { database, plan, reports, writers } = await rotated();
  const login = database.as(reports, "first-of-reports");
  expect(await runAs(login, "select count(*)::int as n from public.orders")).toEqual([{ n: 5 }]);
  await expect(runAs(login, "delete from public.orders")).rejects.toMatchObject({ code: "42501" });
  expect(await rolesNamed(database, [reports, ...writers])).toEqual([
    { name: reports, login: true, comment: `mayfly rotated user of ${database.tag}/reports` },
    { name: writers[0], login: true, comment: `mayfly rotated user of ${database.tag}/writer` },
  ]);
  const [{ rolpassword }] = (await stateOf(database, reports)) as [{ rolpassword: string }];
  expect(rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
  expect(database.lines.join()).not.toContain("first-of");
  expect(plan.rotatedUsers).toBeDefined();
});

test("what one of two users in turn makes belongs to their group", async () => {
  const { database, writers } = await rotated();
  const login = database.as(writers[0], "first-of-writer");
  expect(await whoIs(login)).toBe(database.owner);
  await runAs(login, "create table public.made_by_a ()");
  expect(
    await runAs(
      login,
      "select tableowner::text as owner from pg_tables where tablename = 'made_by_a'",
    ),
  ).toEqual([{ owner: database.owner }]);
});

test("two users of a dynamic role act as themselves: leases of that role must own nothing of theirs", async () => {
  const { database, plan, writers } = await rotated();
  const { writer } = plan.rotatedUsers ?? {};
  if (writer === undefined) throw new Error("the plan has a writer");
  const group = groupRoleName(database.tag, "readwrite");
  await database.provision(withUsers(plan, { ...plan.rotatedUsers, writer: { ...writer, group } }));
  expect(await whoIs(database.as(writers[0], "first-of-writer"))).toBe(writers[0]);
});

test("a repetition changes nothing and reports nothing", async () => {
  const { database, plan, reports, writers } = await rotated();
  const look = async () => [
    await tracesOf(database),
    await stateOf(database, reports),
    await stateOf(database, writers[0]),
  ];
  const before = await look();
  expect(await database.provision(plan)).toEqual(NOTHING);
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
  expect(await look()).toEqual(before);
});

test("a first run reports what it made", async () => {
  const database = await provisioned();
  const { plan } = await rotatedPlan(database);
  expect(await database.provision(plan)).toEqual({
    ...NOTHING,
    rolesMade: 2,
    membershipsGranted: 2,
    passwordsSet: 2,
  });
});

test("what somebody changed of a user is changed back", async () => {
  const { database, plan, reports, writers } = await rotated();
  const other = groupRoleName(database.tag, "readwrite");
  await runAs(
    database.admin(),
    `alter role ${reports} nologin noinherit createrole valid until '2020-01-01';
     revoke ${groupRoleName(database.tag, "readonly")} from ${reports}; grant ${other} to ${reports};
     alter role ${reports} set role = '${other}'; alter role ${writers[0]} reset role`,
  );
  expect(await database.converge(plan)).toEqual({
    ...NOTHING,
    rolesCorrected: 2,
    membershipsGranted: 1,
    warnings: [],
  });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
  expect(await whoIs(database.as(writers[0], "first-of-writer"))).toBe(database.owner);
  const login = database.as(reports, "first-of-reports");
  await expect(runAs(login, "update public.orders set total_cents = 1")).rejects.toMatchObject({
    code: "42501",
  });
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
});

test("a password that the database lost is set again from the secret", async () => {
  const { database, plan, reports, writers } = await rotated();
  await runAs(
    database.admin(),
    `alter role ${reports} password null; alter role ${writers[0]} password 'somebody else''s'`,
  );
  expect(await database.converge(plan)).toEqual({ ...NOTHING, passwordsSet: 2, warnings: [] });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
  expect(await whoIs(database.as(writers[0], "first-of-writer"))).toBe(database.owner);
});

test("a role that was dropped is made again, with the password that applications have", async () => {
  const { database, plan, reports } = await rotated();
  await runAs(database.admin(), `drop role ${reports}`);
  expect(await database.converge(plan)).toMatchObject({ rolesMade: 1, passwordsSet: 1 });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
});

test("the password of a rotation that is under way is left alone", async () => {
  const { database, plan, reports } = await rotated();
  putVersion(database, "reports", [reports, "second-of-reports"], "AWSPENDING");
  await runAs(database.admin(), `alter role ${reports} password 'second-of-reports'`);
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
  expect(await whoIs(database.as(reports, "second-of-reports"))).toBe(reports);
  expect(database.lines.join("\n")).toContain("a rotation is under way");
});

test("a rotation that ends while its versions are looked at is not undone", async () => {
  const { database, plan, reports } = await rotated();
  putVersion(database, "reports", [reports, "second-of-reports"], "AWSPENDING");
  await runAs(database.admin(), `alter role ${reports} password 'second-of-reports'`);
  const getSecret = database.secrets.getSecret.bind(database.secrets);
  let isOver = false;
  database.secrets.getSecret = async (arn, version = {}) => {
    if (arn !== ROTATED.reports || version.stage !== "AWSPENDING") return getSecret(arn, version);
    if (!isOver) {
      isOver = true;
      putVersion(database, "reports", [reports, "first-of-reports"], "AWSPREVIOUS");
      putVersion(database, "reports", [reports, "second-of-reports"]);
    }
    return undefined;
  };
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
  expect(isOver).toBe(true);
  expect(await whoIs(database.as(reports, "second-of-reports"))).toBe(reports);
});

test("a database that knows the password of AWSPREVIOUS alone is left, and that is said", async () => {
  const { database, plan, reports } = await rotated();
  putVersion(database, "reports", [reports, "first-of-reports"], "AWSPREVIOUS");
  putVersion(database, "reports", [reports, "second-of-reports"]);
  expect(await database.converge(plan)).toEqual({
    ...NOTHING,
    warnings: [
      `the database knows the password of AWSPREVIOUS alone; rotate the secret now; user: ${reports}; secret: reports`,
    ],
  });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
});

test("after the first rotation of two in turn, the other user is kept like the first", async () => {
  const { database, plan, writers } = await rotated();
  const [a, b] = writers;
  const comment = `mayfly rotated user of ${database.tag}/writer`;
  await runAs(
    database.admin(),
    `create role ${b} login password 'first-of-b'; comment on role ${b} is '${comment}'`,
  );
  putVersion(database, "writer", [a, "first-of-writer"], "AWSPREVIOUS");
  putVersion(database, "writer", [b, "first-of-b"]);
  expect(await database.converge(plan)).toEqual({
    ...NOTHING,
    rolesCorrected: 1,
    membershipsGranted: 1,
    warnings: [],
  });
  expect(await whoIs(database.as(b, "first-of-b"))).toBe(database.owner);
  expect(await whoIs(database.as(a, "first-of-writer"))).toBe(database.owner);
  // and now the one that is not in AWSCURRENT
  await runAs(database.admin(), `alter role ${a} reset role; alter role ${a} createrole`);
  expect(await database.converge(plan)).toEqual({ ...NOTHING, rolesCorrected: 1, warnings: [] });
  expect(await whoIs(database.as(a, "first-of-writer"))).toBe(database.owner);
});

test("a secret that was renamed takes its user along", async () => {
  const { database, plan, reports } = await rotated();
  putVersion(database, "writer", [reports, "of-the-new-secret"]);
  const user = plan.rotatedUsers?.reports;
  if (user === undefined) throw new Error("the plan has it");
  expect(await database.converge(withUsers(plan, { writer: user }))).toMatchObject({
    rolesCorrected: 1,
    passwordsSet: 1,
    rolesDropped: 1,
    warnings: [],
  });
  expect(await whoIs(database.as(reports, "of-the-new-secret"))).toBe(reports);
  expect(await rolesNamed(database, [reports])).toMatchObject([
    { comment: `mayfly rotated user of ${database.tag}/writer` },
  ]);
});

test("a user that moves to another group has no more of the former", async () => {
  const { database, plan, reports } = await rotated();
  putVersion(database, "reports", [reports, "first-of-reports"]);
  const group = groupRoleName(database.tag, "readwrite");
  const user = { strategy: "single-user", usernames: [reports], group } as const;
  const { writer } = plan.rotatedUsers ?? {};
  await database.provision(withUsers(plan, { reports: user, ...(writer && { writer }) }));
  expect(
    await runAs(
      database.superuser(),
      `select roleid::regrole::text as group from pg_auth_members where member = '${reports}'::regrole`,
    ),
  ).toEqual([{ group }]);
});

test("a secret that holds no user of the plan is refused before anything is changed", async () => {
  const database = await unprovisioned();
  const { plan } = await rotatedPlan(database);
  putVersion(database, "reports", ["somebody", "else"]);
  database.secrets.label(ROTATED.writer, "AWSCURRENT", { username: `writer_b_${database.tag}` });
  const before = await tracesOf(database);
  await expect(database.provision(plan)).rejects.toThrow(
    `the rotated secret "reports" (arn:reports) must have the key username, "reports_${database.tag}", got "somebody"; put a version that does, or correct the configuration
- the rotated secret "writer" (arn:writer) must have the key password, a text; put a version that does`,
  );
  expect(await tracesOf(database)).toEqual(before);
});

test("a password that no verifier can be made of is refused, but where it is there already", async () => {
  const database = await provisioned();
  const { plan, reports } = await rotatedPlan(database);
  putVersion(database, "reports", [reports, "pässwörd"]);
  await expect(database.provision(plan)).rejects.toThrow(
    `- the password in the rotated secret "reports" (arn:reports) must be printable ASCII, for Mayfly to set it; put a version that has one`,
  );
  await runAs(database.superuser(), `create role ${reports} login password 'pässwörd'`);
  await database.provision(plan);
  expect(await whoIs(database.as(reports, "pässwörd"))).toBe(reports);
});

test("rotated users are no leases and no strangers, and do not count as either", async () => {
  const { database, plan: wide, reports } = await rotated();
  const roles = Object.entries(wide.roles).map(([role, each]) => [role, { ...each, maxLeases: 1 }]);
  const plan = { ...wide, roles: Object.fromEntries(roles) };
  await database.provision(plan);
  const issuer = issuerOn(database);
  await issuer.issue("user-service--readonly");
  const options = { actor: "sweep", mayContinue: () => true };
  const { sweep } = await import("../../core/leases/operation/sweep.ts");
  expect(await sweep(issuer.deps, options)).toMatchObject({ live: 1, foreign: [], left: 0 });
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
  await issuer.close();
});
