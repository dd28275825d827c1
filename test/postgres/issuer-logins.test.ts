import { describe, expect, test } from "vitest";
import { issuerLoginName, janitorName } from "../../core/names.ts";
import { changesOf } from "../../core/provisioning/report.ts";
import { Secret } from "../../core/secret.ts";
import { withLeases } from "../../lambda/postgres/provisioning/remove/leases.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { provisioned, runAs, SECRETS, type TestDatabase } from "../support/provisioned.ts";
import { whoIs } from "../support/rotated.ts";

const NOTHING = changesOf();

/** Whether each version of the issuer secret holds a login that works. */
async function worksAs({ as, secrets }: TestDatabase, stage: string): Promise<boolean> {
  const { username = "", password = "" } =
    (await secrets.getSecret(SECRETS.issuer, { stage }))?.value ?? {};
  return (await whoIs(as(username, password, "mayfly"))) === username;
}

const holderOf = async ({ secrets }: TestDatabase, stage: string): Promise<unknown> =>
  (await secrets.getSecret(SECRETS.issuer, { stage }))?.value.username;

const label = (
  { secrets }: TestDatabase,
  stage: string,
  username: string,
  password: string,
): void => secrets.label(SECRETS.issuer, stage, { username, password: new Secret(password) });

async function expectIssues(database: TestDatabase): Promise<void> {
  const issuer = issuerOn(database);
  const session = await logIn(database, await issuer.issue());
  await session.query("select count(*) from public.orders");
  await session.end();
  await issuer.close();
}

describe("an issuer login whose password the database lost", () => {
  test.each([
    ["AWSCURRENT", "a"],
    ["AWSPREVIOUS", "b"],
  ] as const)("works again after a converge: that of %s", async (stage, which) => {
    const database = await provisioned();
    await runAs(
      database.admin(),
      `alter role ${issuerLoginName(database.tag, which)} password 'of-nobody'`,
    );
    expect(await worksAs(database, stage)).toBe(false);
    expect(await database.converge()).toEqual({ ...NOTHING, passwordsSet: 1, warnings: [] });
    expect(await worksAs(database, stage)).toBe(true);
    expect(database.secrets.puts()).toBe(3);
    await expectIssues(database);
  });
});

test("a value that somebody put by hand, so that one login is in no version, is mended", async () => {
  const database = await provisioned();
  const a = issuerLoginName(database.tag, "a");
  await database.secrets.putSecret(
    SECRETS.issuer,
    { username: a, password: new Secret("by-hand-of-a-dba") },
    { clientRequestToken: "by hand" },
  );
  expect(await holderOf(database, "AWSPREVIOUS")).toBe(a);
  expect(await database.converge()).toEqual({ ...NOTHING, passwordsSet: 2, warnings: [] });
  expect(await holderOf(database, "AWSCURRENT")).toBe(a);
  expect(await holderOf(database, "AWSPREVIOUS")).toBe(issuerLoginName(database.tag, "b"));
  expect(await worksAs(database, "AWSCURRENT")).toBe(true);
  expect(await worksAs(database, "AWSPREVIOUS")).toBe(true);
  await expectIssues(database);
  expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
});

describe("a rotation of the issuer logins that has crashed", () => {
  const PENDING = "of-the-rotation";

  test("before it changed the database is as if it had not begun", async () => {
    const database = await provisioned();
    label(database, "AWSPENDING", issuerLoginName(database.tag, "b"), PENDING);
    expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
    expect(await worksAs(database, "AWSPREVIOUS")).toBe(true);
    await expectIssues(database);
  });

  test("after it changed the database can go on where it was: its password is left alone", async () => {
    const database = await provisioned();
    const b = issuerLoginName(database.tag, "b");
    label(database, "AWSPENDING", b, PENDING);
    await runAs(database.admin(), `alter role ${b} password '${PENDING}'`);
    expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
    expect(await worksAs(database, "AWSPENDING")).toBe(true);
    expect(database.lines.join("\n")).toContain("a rotation is under way");
    await expectIssues(database);
  });

  test("and whose password the database lost besides gets that of AWSPREVIOUS", async () => {
    const database = await provisioned();
    const b = issuerLoginName(database.tag, "b");
    label(database, "AWSPENDING", b, PENDING);
    await runAs(database.admin(), `alter role ${b} password null`);
    expect(await database.converge()).toEqual({ ...NOTHING, passwordsSet: 1, warnings: [] });
    expect(await worksAs(database, "AWSPREVIOUS")).toBe(true);
  });

  test("does not keep leases from being revoked with the login that it changed", async () => {
    const database = await provisioned();
    const b = issuerLoginName(database.tag, "b");
    const issuer = issuerOn(database);
    await issuer.issue("reporting--readonly");
    label(database, "AWSPENDING", b, PENDING);
    await runAs(database.admin(), `alter role ${b} password '${PENDING}'`);
    const grants = database.plan.grants.filter(({ consumer }) => consumer !== "reporting");
    expect(await database.provision({ ...database.plan, grants })).toMatchObject({
      leasesRevoked: 1,
    });
    await issuer.close();
    await database.remove();
    expect(database.warnings).toEqual([]);
  });

  test("or goes on after the login was proved: what revokes leases finds the next password", async () => {
    const database = await provisioned();
    const proved = await database.issuerLogin("b");
    label(database, "AWSPENDING", proved.username, PENDING);
    await runAs(database.admin(), `alter role ${proved.username} password '${PENDING}'`);
    const { role } = await withLeases(database.deps, database.plan, proved, ({ deps }) =>
      deps.engine.look("nobody"),
    );
    expect(role).toBeUndefined();
  });

  test("and is finished has left AWSPENDING where AWSCURRENT is, which is nothing special", async () => {
    const database = await provisioned();
    const b = issuerLoginName(database.tag, "b");
    const a = await database.issuerLogin("a");
    await runAs(database.admin(), `alter role ${b} password '${PENDING}'`);
    label(database, "AWSPREVIOUS", a.username, a.password.reveal());
    label(database, "AWSCURRENT", b, PENDING);
    label(database, "AWSPENDING", b, PENDING);
    expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
    expect(await holderOf(database, "AWSCURRENT")).toBe(b);
    await expectIssues(database);
  });
});

test.each(["a", "b"] as const)(
  "a server that has moved is written into both versions, and %s stays the one in use",
  async (which) => {
    const database = await provisioned();
    const { secrets, tag, deps } = database;
    const names = [issuerLoginName(tag, "b"), issuerLoginName(tag, "a")];
    if (which === "b") names.reverse();
    const passwords = new Map<string, Secret | undefined>();
    for (const stage of ["AWSCURRENT", "AWSPREVIOUS"]) {
      const { value } = (await secrets.getSecret(SECRETS.issuer, { stage })) ?? {};
      passwords.set(value?.username ?? "", value?.password);
    }
    for (const [i, username] of names.entries()) {
      const value = { username, password: passwords.get(username) ?? new Secret("") };
      const options = { clientRequestToken: `before the move ${i}` };
      await secrets.putSecret(SECRETS.issuer, { ...value, host: "old.example.com" }, options);
    }
    await database.converge();
    const { host, port } = deps.server;
    for (const [stage, username] of [
      ["AWSCURRENT", names[1]],
      ["AWSPREVIOUS", names[0]],
    ] as const) {
      const { value } = (await secrets.getSecret(SECRETS.issuer, { stage })) ?? {};
      const password = passwords.get(username ?? "");
      expect(value).toMatchObject({ host, port, username, password });
      expect(await worksAs(database, stage)).toBe(true);
    }
    const puts = secrets.puts();
    await database.converge();
    expect(secrets.puts()).toBe(puts);
  },
);

test("the janitor's password is left alone while its rotation is under way, and set when no version holds it", async () => {
  const database = await provisioned();
  const name = janitorName(database.tag);
  const { value } = (await database.secrets.getSecret(SECRETS.janitor)) ?? {};
  database.secrets.label(SECRETS.janitor, "AWSPENDING", {
    ...value,
    password: new Secret("the-next-one"),
  });
  await runAs(database.admin(), `alter role ${name} password 'the-next-one'`);
  expect(await database.converge()).toEqual({ ...NOTHING, warnings: [] });
  expect(await whoIs(database.as(name, "the-next-one"))).toBe(name);
  await runAs(database.admin(), `alter role ${name} password 'of-nobody'`);
  expect(await database.converge()).toEqual({ ...NOTHING, passwordsSet: 1, warnings: [] });
  expect(await whoIs(await database.janitor())).toBe(name);
});

test("a server that has moved is written into the janitor's secret, with the same password", async () => {
  const database = await provisioned();
  const { value } = (await database.secrets.getSecret(SECRETS.janitor)) ?? {};
  const options = { clientRequestToken: "before the move" };
  await database.secrets.putSecret(SECRETS.janitor, { ...value, host: "old.example.com" }, options);
  await database.converge();
  expect((await database.secrets.getSecret(SECRETS.janitor))?.value).toEqual(value);
});
