import { expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { tracesOf } from "../support/provision-traces.ts";
import { LIMITS, provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";
import {
  putVersion,
  remedyIn,
  rolesNamed,
  rotatedPlan,
  whoIs,
  withUsers,
} from "../support/rotated.ts";

const NOTHING = changesOf();

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const splits = async (test: TestDatabase): Promise<boolean> =>
  Number((await runAs(test.superuser(), "show server_version_num"))[0]?.server_version_num) >=
  160_000;

/** A provisioned database, and a user of reports' name that a DBA made before. */
async function adopted(password = "first-of-reports", attributes = "login") {
  const database = await provisioned();
  const rotation = await rotatedPlan(database);
  const { reports } = rotation.plan.rotatedUsers ?? {};
  if (reports === undefined) throw new Error("the plan has it");
  await runAs(
    database.superuser(),
    `create role ${rotation.reports} ${attributes} password '${password}'`,
  );
  return { ...rotation, database, plan: withUsers(rotation.plan, { reports }) };
}

test("a user that is there and that the secret knows is adopted: it joins the group, and no more", async () => {
  const { database, plan, reports } = await adopted();
  expect(await database.provision(plan)).toEqual({ ...NOTHING, membershipsGranted: 1 });
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
  expect(await rolesNamed(database, [reports])).toEqual([
    { name: reports, login: true, comment: null },
  ]);
  expect(await database.converge(plan)).toEqual({ ...NOTHING, warnings: [] });
});

test("an adopted user stays when its secret leaves the configuration, and with the stack", async () => {
  const { database, plan, reports } = await adopted();
  await database.provision(plan);
  expect(await database.provision()).toEqual(NOTHING);
  await database.remove();
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
});

test("an adopted user in the midst of its rotation is left alone", async () => {
  const { database, plan, reports } = await adopted("second-of-reports");
  putVersion(database, "reports", [reports, "second-of-reports"], "AWSPENDING");
  expect(await database.provision(plan)).toEqual({ ...NOTHING, membershipsGranted: 1 });
  expect(await whoIs(database.as(reports, "second-of-reports"))).toBe(reports);
});

test("a user with another password is refused, and either remedy lets it in", async () => {
  const { database, plan, reports } = await adopted("of-its-own");
  const before = await tracesOf(database);
  const error = await failure(database.provision(plan));
  expect(error).toMatchObject({ name: "ConfigError" });
  expect((error as Error).message).toContain(
    `the role "${reports}" exists, and no version of the rotated secret "reports" (arn:reports) holds its password; name the secret that does as secretArn, or put a version with its password, and the role is kept as it is; or, to have Mayfly set its password, and drop it with the secret; have a DBA run: COMMENT ON ROLE "${reports}" IS 'mayfly rotated user of ${database.tag}/reports';`,
  );
  expect(await tracesOf(database)).toEqual(before);
  expect(await whoIs(database.as(reports, "of-its-own"))).toBe(reports);

  putVersion(database, "reports", [reports, "of-its-own"]);
  await database.provision(plan);
  expect(await whoIs(database.as(reports, "of-its-own"))).toBe(reports);

  putVersion(database, "reports", [reports, "of-mayfly"]);
  putVersion(database, "reports", [reports, "older"], "AWSPREVIOUS");
  await runAs(database.superuser(), remedyIn(await failure(database.provision(plan))));
  if (await splits(database)) {
    // and it is the administrator's to change
    const more = await failure(database.provision(plan));
    await runAs(database.superuser(), remedyIn(more));
  }
  expect(await database.provision(plan)).toMatchObject({ passwordsSet: 1 });
  expect(await whoIs(database.as(reports, "of-mayfly"))).toBe(reports);
});

test.each([
  ["superuser login", "exists with SUPERUSER, REPLICATION or BYPASSRLS"],
  ["createrole login", "may create roles"],
  ["nologin", "cannot log in"],
  ["login valid until '2020-01-01'", "cannot log in"],
])("a role with %s is not adopted until a DBA has changed that", async (attributes, what) => {
  const { database, plan, reports } = await adopted("first-of-reports", attributes);
  const error = await failure(database.provision(plan));
  expect((error as Error).message).toContain(`the role "${reports}" ${what}`);
  await runAs(database.superuser(), remedyIn(error));
  await database.provision(plan);
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
});

test("a user of another stack's rotated secret is refused, and that stack gone, handed over", async () => {
  const { database, plan, reports } = await adopted();
  await runAs(
    database.superuser(),
    `comment on role ${reports} is 'mayfly rotated user of zzzz/reports'`,
  );
  const error = await failure(database.provision(plan));
  expect((error as Error).message).toContain(
    `the role "${reports}" was made from a rotated secret of the tag "zzzz"; name another user, or, if that stack is gone; have a DBA run: COMMENT ON ROLE`,
  );
  await runAs(database.superuser(), remedyIn(error));
  if (await splits(database))
    await runAs(
      database.superuser(),
      `grant ${reports} to ${database.admin().username} with admin option`,
    );
  await database.provision(plan);
  expect(await rolesNamed(database, [reports])).toMatchObject([
    { comment: `mayfly rotated user of ${database.tag}/reports` },
  ]);
});

test("the second of two in turn is not overwritten: its password must be in the secret", async () => {
  const database = await provisioned();
  const { plan, writers } = await rotatedPlan(database);
  const [, b] = writers;
  const { writer } = plan.rotatedUsers ?? {};
  const only = withUsers(plan, { ...(writer && { writer }) });
  await runAs(
    database.superuser(),
    `create role ${b} login password 'of-b'; grant ${b} to ${database.admin().username} with admin option`,
  );
  const error = await failure(database.provision(only));
  expect((error as Error).message).toContain(
    `the role "${b}" exists, and no version of the rotated secret "writer" (arn:writer) holds its password`,
  );
  putVersion(database, "writer", [b, "of-b"], "AWSPREVIOUS");
  expect(await database.provision(only)).toEqual({
    ...NOTHING,
    rolesMade: 1,
    rolesCorrected: 1,
    passwordsSet: 1,
    membershipsGranted: 2,
  });
  expect(await whoIs(database.as(b, "of-b"))).toBe(database.owner);
  expect(await database.converge(only)).toEqual({ ...NOTHING, warnings: [] });
});

test("what is wrong with an owner group is told with everything else, and the SQL removes it", async () => {
  const database = await provisioned();
  const { plan, reports, writers } = await rotatedPlan(database);
  const [absent, open, foreign] = ["absent", "open", "foreign"].map((n) => `${n}_${database.tag}`);
  await runAs(
    database.superuser(),
    `create role ${open} login createrole; create role ${foreign};
     revoke connect on database ${database.database} from public`,
  );
  const users = (group = "", usernames: readonly string[] = []) =>
    withUsers(plan, {
      reports: { strategy: "single-user", usernames: [reports], group },
      writer: { strategy: "alternating-users", usernames, group: foreign ?? "" },
    });
  const admin = database.admin().username;
  const before = await tracesOf(database);
  const problems = async (group: string | undefined): Promise<string[]> => {
    const error = await failure(database.provision(users(group, writers)));
    return (error as Error).message.split("\n").slice(1);
  };
  const always = [
    `- the owner group "${foreign}" may not connect to the database "${database.database}"; have a DBA run: GRANT CONNECT ON DATABASE "${database.database}" TO "${foreign}";`,
    ...((await splits(database))
      ? [
          `- "${admin}" may not grant the owner group "${foreign}" to users of rotated secrets; have a DBA run: GRANT "${foreign}" TO "${admin}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`,
        ]
      : []),
  ];
  expect(await problems(absent)).toEqual([
    `- the owner group "${absent}" does not exist; have a DBA run: CREATE ROLE "${absent}" NOLOGIN;`,
    ...always,
  ]);
  expect(await problems(open)).toEqual([
    `- the owner group "${open}" can log in; name a role that cannot, or, if nobody logs in as it; have a DBA run: ALTER ROLE "${open}" NOLOGIN;`,
    `- the owner group "${open}" has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS; have a DBA run: ALTER ROLE "${open}" NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS;`,
    `- the owner group "${open}" may not connect to the database "${database.database}"; have a DBA run: GRANT CONNECT ON DATABASE "${database.database}" TO "${open}";`,
    ...always,
  ]);
  expect(await tracesOf(database)).toEqual(before);
  for (let left = 4; left > 0; left--)
    for (const group of [absent, open])
      for (const line of await failure(database.provision(users(group, writers))).then((error) =>
        error === undefined ? [] : (error as Error).message.split("\n").slice(1),
      )) {
        const statement = /have a DBA run: (.*);$/.exec(line)?.[1] ?? "";
        await runAs(database.superuser(), statement);
      }
  await database.provision(users(open, writers));
  expect(await whoIs(database.as(reports, "first-of-reports"))).toBe(reports);
  expect(await whoIs(database.as(writers[0], "first-of-writer"))).toBe(foreign);
});

test("a dynamic role's group is made in the same run as the user in it", async () => {
  const database = await provisioned();
  const { plan, reports } = await rotatedPlan(database);
  const group = groupRoleName(database.tag, "audit");
  const roles = {
    ...plan.roles,
    audit: { ...LIMITS, groupRole: group, privileges: { select: ["public.*"] } },
  };
  const user = { strategy: "single-user", usernames: [reports], group } as const;
  expect(await database.provision({ ...withUsers(plan, { reports: user }), roles })).toMatchObject({
    rolesMade: 2,
  });
  const login = database.as(reports, "first-of-reports");
  expect(await runAs(login, "select count(*)::int as n from public.orders")).toEqual([{ n: 5 }]);
});
