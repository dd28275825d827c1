import { beforeAll, beforeEach, expect, test } from "vitest";
import { enderName, groupRoleName, issuerLoginName, issuerRoleName } from "../../core/names.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { declaredSchema, verbsSchema } from "../../lambda/postgres/leases/verbs.ts";
import { shardOf } from "../support/evidence.ts";
import { dropLeases, issuerOn, logIn, loginRefusal } from "../support/leases.ts";
import { tracesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, type TestDatabase, unprovisioned } from "../support/provisioned.ts";

const NOTHING = { ...changesOf(), warnings: [] };

/** As the plan says before each test that uses it, since each converge makes it so again. */
let healed: TestDatabase;
beforeAll(async () => {
  healed = await provisioned();
});
beforeEach(() => dropLeases(healed));

test("a database that is as the plan says is not written to, and nothing is reported", async () => {
  const before = await tracesOf(healed);
  expect(await healed.converge()).toEqual(NOTHING);
  expect(await tracesOf(healed)).toEqual(before);
});

test.each<[string, (database: TestDatabase) => string, object]>([
  [
    "a privilege that a DBA took",
    ({ tag, owner }) =>
      `set role ${owner}; revoke select on public.orders from mf_${tag}_group_readonly`,
    { privilegesGranted: 1 },
  ],
  [
    "privileges that a DBA gave",
    ({ tag, owner }) =>
      `set role ${owner}; grant delete, truncate on public.orders to mf_${tag}_group_readonly`,
    { privilegesWithdrawn: 2 },
  ],
  [
    "default privileges that a DBA took",
    ({ tag, owner }) =>
      `set role ${owner}; alter default privileges in schema public revoke select on tables from mf_${tag}_group_readonly`,
    { privilegesGranted: 1 },
  ],
  [
    "the way into the database",
    ({ tag, database }) => `revoke connect on database ${database} from mf_${tag}_janitor`,
    { privilegesGranted: 1 },
  ],
  [
    "an attribute",
    ({ tag }) => `alter role ${issuerLoginName(tag, "b")} connection limit 1`,
    { rolesCorrected: 1 },
  ],
  [
    "a membership",
    ({ tag }) => `revoke ${groupRoleName(tag, "readonly")} from ${issuerRoleName(tag, 1)}`,
    { membershipsGranted: 1 },
  ],
  [
    "the right to end sessions",
    ({ tag }) => `revoke pg_signal_backend from ${enderName(tag)}`,
    { membershipsGranted: 1 },
  ],
  [
    "a password",
    ({ tag }) => `alter role ${issuerLoginName(tag, "a")} password null`,
    { passwordsSet: 1 },
  ],
  [
    "a login that was dropped",
    ({ tag }) => `drop role ${issuerLoginName(tag, "b")}`,
    // its way into the maintenance database; it is a member of nothing
    { rolesMade: 1, privilegesGranted: 1, passwordsSet: 1 },
  ],
])("%s is mended and counted, and then there is nothing left", async (what, sql, changes) => {
  if (what.includes("dropped"))
    await runAs(healed.superuser("mayfly"), `drop owned by ${issuerLoginName(healed.tag, "b")}`);
  await runAs(healed.admin(), sql(healed));
  expect(await healed.converge()).toEqual({ ...NOTHING, ...changes });
  expect(await healed.converge()).toEqual(NOTHING);
  await expectIssues(healed);
});

test.each<[string, (schema: string, tag: string) => string]>([
  ["a wrapper that was dropped", (schema) => `drop function ${schema}.issue_aa`],
  ["a body that was dropped", (schema) => `drop function ${schema}.issue`],
  [
    "a body that was changed",
    (schema) => `alter function ${schema}.issue rename to issue_of_yesterday`,
  ],
  [
    "the right to execute a verb",
    (schema, tag) => `revoke all on function ${schema}.issue_ab from ${issuerLoginName(tag, "a")}`,
  ],
  [
    "the way into the schema",
    (schema, tag) => `revoke all on schema ${schema} from ${issuerLoginName(tag, "a")}`,
  ],
  ["what is declared", (_, tag) => `delete from ${declaredSchema(tag)}.declared`],
  ["a limit", (_, tag) => `update ${declaredSchema(tag)}.declared set max_leases = 0`],
  ["all of it", (schema, tag) => `drop schema ${schema}, ${declaredSchema(tag)} cascade`],
])("%s is there again after a converge, and leases are issued", async (_, sql) => {
  const { tag } = healed;
  await runAs(healed.superuser("mayfly"), sql(verbsSchema(tag), tag));
  expect(await healed.converge()).toEqual(NOTHING);
  await expectIssues(healed);
});

/** Either login makes leases, by as many issuer roles as there are. */
async function expectIssues(database: TestDatabase): Promise<void> {
  for (const which of ["a", "b"] as const) {
    const issuer = issuerOn(database, { login: () => database.issuerLogin(which) });
    const made = new Set<string>();
    while (made.size < database.plan.shards) {
      const credential = await issuer.issue();
      await (await logIn(database, credential)).end();
      made.add(shardOf(database, credential.username));
    }
    await issuer.close();
  }
}

test("a lease that nobody is granted any more is revoked, and its group dropped", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const kept = await issuer.issue("user-service--readonly");
  const gone = await issuer.issue("user-service--readwrite");
  const session = await logIn(database, gone);
  const { readonly } = database.plan.roles;
  if (readonly === undefined) throw new Error("the plan has no role readonly");
  const grants = database.plan.grants.filter(({ role }) => role === "readonly");
  const plan = { ...database.plan, roles: { readonly }, grants };
  expect(await database.converge(plan)).toMatchObject({
    leasesRevoked: 1,
    leasesQuarantined: 0,
    rolesDropped: 1,
  });
  await expect(session.query("select 1")).rejects.toThrow(/terminat|not queryable/);
  expect(await loginRefusal(database, gone)).toBe("28P01");
  await (await logIn(database, kept)).end();
  expect(await database.converge(plan)).toEqual(NOTHING);
});

test("what somebody has to look at is in the report, and does not count as a change", async () => {
  const database = await provisioned();
  await runAs(
    database.admin(),
    `set role ${database.owner}; grant insert on public.orders to public`,
  );
  expect(await database.converge()).toEqual({
    ...NOTHING,
    warnings: [
      `groups can do more than the configuration says, by PUBLIC, membership or ownership; database: ${database.database}; what: ${groupRoleName(database.tag, "readonly")} has INSERT on public.orders`,
    ],
  });
});

test("a maintenance database that was opened is shut, and that is told", async () => {
  const database = await provisioned();
  await runAs(database.superuser("postgres"), "grant connect on database mayfly to public");
  const warnings = ["database mayfly was open to PUBLIC, or to nobody; this was corrected"];
  expect(await database.converge()).toEqual({ ...NOTHING, warnings });
  expect(await database.converge()).toEqual(NOTHING);
});

test("only the stack that has the tag converges: not another, and not before a deployment", async () => {
  const database = await unprovisioned();
  const other = "arn:aws:cloudformation:eu-west-1:1:stack/other/2";
  const own = `arn:aws:cloudformation:stack/${database.tag}`;
  const refusal = (owner: string, id: string) => ({
    name: "ConfigError",
    message: `the tag "${database.tag}" is not this stack's, and nothing was changed: it belongs to ${owner}, and this is ${id}; deploy the stack, which claims it or says why it cannot`,
  });
  await expect(database.converge()).rejects.toMatchObject(refusal("nobody", own));
  await database.provision();
  const before = await tracesOf(database);
  await expect(database.converge(database.plan, other)).rejects.toMatchObject(refusal(own, other));
  expect(await tracesOf(database)).toEqual(before);
});

test("without a maintenance database there is nothing that could be converged", async () => {
  const database = await unprovisioned();
  await runAs(database.superuser("postgres"), "drop database if exists mayfly with (force)");
  await expect(database.converge()).rejects.toThrow(
    `the tag "${database.tag}" is not this stack's, and nothing was changed: there is no database "mayfly"; deploy`,
  );
});

test("a converge that cannot give everything says so with the SQL, before it changes anything", async () => {
  const database = await provisioned();
  await runAs(database.superuser(), "create table public.foreign_one ()");
  const before = await tracesOf(database);
  await expect(database.converge()).rejects.toThrow(
    /^the database is not ready, and nothing was changed:\n- in database .*WITH GRANT OPTION;/,
  );
  expect(await tracesOf(database)).toEqual(before);
});
