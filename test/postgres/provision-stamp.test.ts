import { expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { issuerOn, loginRefusal } from "../support/leases.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import {
  LIMITS,
  provisioned,
  runAs,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";

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
  const roles = {
    extra: { ...LIMITS, groupRole: groupRoleName(database.tag, "extra"), privileges: {} },
  };
  const attempt = database.provision({ ...database.plan, roles }, OTHER);
  await expect(attempt).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining(
      `the tag "${database.tag}" belongs to another stack on this server, ${ownOf(database).id}`,
    ),
  });
  await expect(attempt).rejects.toThrow('set "tag" to four other characters');
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

/** A stack's id as CloudFormation makes them. */
const named = (name: string, end: string) => ({
  id: `arn:aws:cloudformation:eu-west-1:111122223333:stack/${name}/${end}`,
  resource: "Provision",
});

test("a tag is taken over by the next stack of that name; the former's late Delete does nothing", async () => {
  const database = await unprovisioned();
  const [former, next] = [named("Mayfly", "0a-1"), named("Mayfly", "0b-2")];
  await database.provision(database.plan, former);
  const issuer = issuerOn(database);
  const [kept, dismissed] = [await issuer.issue(), await issuer.issue("reporting--readonly")];
  const grants = database.plan.grants.filter(({ consumer }) => consumer !== "reporting");
  await database.provision({ ...database.plan, grants }, next);
  expect(await stampsOf(database)).toEqual([next]);
  expect(database.warnings.join()).toContain(`"former":"${former.id}","stack":"${next.id}"`);
  expect(await loginRefusal(database, kept)).toBeUndefined();
  expect(await loginRefusal(database, dismissed)).toBe("28P01");

  const before = await tracesOf(database);
  await database.remove(database.plan, former);
  expect(await tracesOf(database)).toEqual(before);
  expect(await stampsOf(database)).toEqual([next]);
  expect(await loginRefusal(database, kept)).toBeUndefined();
  await issuer.close();
});

test("a stack of another name, account or Region does not take a tag over", async () => {
  const database = await unprovisioned();
  const former = named("Mayfly", "0a-1");
  await database.provision(database.plan, former);
  const others = [
    named("Mayfly2", "0b-2"),
    { ...named("Mayfly", "0b-2"), id: former.id.replace("111122223333", "444455556666") },
    { ...named("Mayfly", "0b-2"), id: former.id.replace("eu-west-1", "eu-west-2") },
  ];
  for (const other of others)
    await expect(database.provision(database.plan, other)).rejects.toThrow(
      `the tag "${database.tag}" belongs to another stack on this server, ${former.id}`,
    );
  expect(await stampsOf(database)).toEqual([former]);
});

test("two stacks that take a tag over at once: one has it", async () => {
  const database = await unprovisioned();
  await database.provision(database.plan, named("Mayfly", "0a-1"));
  const outcomes = await Promise.allSettled(
    ["0b-2", "0c-3"].map((end) => database.provision(database.plan, named("Mayfly", end))),
  );
  const [stamp] = await stampsOf(database);
  expect(["0b-2", "0c-3"]).toContain(String(stamp?.id).slice(-4));
  expect(outcomes.some(({ status }) => status === "fulfilled")).toBe(true);
});

test("a tag that a DBA has set free keeps its server: what comes from another is revoked", async () => {
  const database = await provisioned();
  const issuer = issuerOn(database);
  const credential = await issuer.issue();
  const restored = { serverId: "db-RESTORED" };
  const attempt = () => database.provision(database.plan, OTHER, restored);
  const error = await attempt().catch((thrown: unknown) => thrown);
  const [, statement = ""] = /have a DBA run in database "mayfly": (.*)$/.exec(String(error)) ?? [];
  await runAs(database.superuser("mayfly"), statement);
  await attempt();
  expect(await loginRefusal(database, credential)).toBe("28P01");
  expect(database.warnings.join()).toContain("the server is not the one that leases were made on");
  await issuer.close();
});

test("nobody but the administrators can see or change who owns a tag", async () => {
  const database = await provisioned();
  for (const statement of ["select * from mayfly.stack", "delete from mayfly.stack"])
    await expect(runAs(await database.issuerLogin(), statement)).rejects.toMatchObject({
      code: "42501",
    });
});
