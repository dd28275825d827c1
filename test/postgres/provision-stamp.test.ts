import { expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, type TestDatabase, unprovisioned } from "../support/provisioned.ts";

const OTHER = { id: "arn:aws:cloudformation:eu-west-1:1:stack/other/2", resource: "Provision" };
const ownOf = ({ tag }: TestDatabase) => ({
  id: `arn:aws:cloudformation:stack/${tag}`,
  resource: "Provision",
});

const stampsOf = (database: TestDatabase) =>
  runAs(
    database.superuser("mayfly"),
    `select id, resource from mayfly.stack where tag = '${database.tag}'`,
  );

test("a second stack with the same tag is refused, with the remedy, and changes nothing", async () => {
  const database = await provisioned();
  const before = await tracesOf(database);
  const roles = { extra: { groupRole: groupRoleName(database.tag, "extra"), privileges: {} } };
  const attempt = database.provision({ ...database.plan, roles }, OTHER);
  await expect(attempt).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining(
      `the tag "${database.tag}" belongs to another stack on this server, ${ownOf(database).id}`,
    ),
  });
  await expect(attempt).rejects.toThrow('set "tag" of the database in mayfly.config.ts');
  expect(await tracesOf(database)).toEqual(before);
  expect(await stampsOf(database)).toEqual([ownOf(database)]);
});

test("the SQL in the refusal lets the second stack in", async () => {
  const database = await provisioned();
  const error = await database.provision(database.plan, OTHER).catch((thrown: unknown) => thrown);
  const [, statement = ""] = /have a DBA run in database "mayfly": (.*)$/.exec(String(error)) ?? [];
  await runAs(database.superuser("mayfly"), statement);
  await database.provision(database.plan, OTHER);
  expect(await stampsOf(database)).toEqual([OTHER]);
});

test("two stacks that claim a tag at once: one has it", async () => {
  const database = await unprovisioned();
  const outcomes = await Promise.allSettled([
    database.provision(),
    database.provision(database.plan, OTHER),
  ]);
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("a creation that fails gives the tag back, an update that fails does not", async () => {
  const database = await unprovisioned();
  const put = database.secrets.putSecret.bind(database.secrets);
  database.secrets.putSecret = () => Promise.reject(new Error("crash"));
  await expect(database.provision()).rejects.toThrow("crash");
  expect(await stampsOf(database)).toEqual([]);
  database.secrets.putSecret = put;
  await database.provision(database.plan, OTHER);

  database.secrets.getSecret = (
    (get) => (arn, version) =>
      arn === "issuer" ? Promise.reject(new Error("crash")) : get(arn, version)
  )(database.secrets.getSecret.bind(database.secrets));
  await expect(database.provision(database.plan, OTHER)).rejects.toThrow("crash");
  expect(await stampsOf(database)).toEqual([OTHER]);
});

test("a stale Delete does nothing: of another stack, or of a construct that has moved", async () => {
  const database = await provisioned();
  const own = ownOf(database);
  await database.provision(database.plan, { ...own, resource: "Moved" });
  const roles = await rolesOf(database);
  const before = await tracesOf(database);
  for (const stale of [own, OTHER, { ...OTHER, resource: "Moved" }])
    await database.remove(database.plan, stale);
  expect(await tracesOf(database)).toEqual(before);
  expect(await rolesOf(database)).toEqual(roles);
  expect(await stampsOf(database)).toEqual([{ ...own, resource: "Moved" }]);
  const refused = database.warnings.filter((each) => each.includes("the tag is not this stack's"));
  expect(refused).toHaveLength(3);
  expect(database.groupRemovals()).toBe(0);
});

test("nobody but the administrators can see or change who owns a tag", async () => {
  const database = await provisioned();
  for (const statement of ["select * from mayfly.stack", "delete from mayfly.stack"])
    await expect(runAs(await database.issuerLogin(), statement)).rejects.toMatchObject({
      code: "42501",
    });
});
