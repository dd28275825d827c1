import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { base32 } from "../../core/base32.ts";
import { formatLeaseName, NO_KEY, RANDOM_LENGTH } from "../../core/leases/lease-name.ts";
import { groupRoleName, issuerLoginName, issuerRoleName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretObject } from "../../core/secret-store.ts";
import { scramVerifier } from "../../lambda/postgres/connection/scram.ts";
import { functionName, type Verb, verbsSchema } from "../../lambda/postgres/leases/verbs.ts";
import { eventually } from "../support/eventually.ts";
import { oidOf } from "../support/evidence.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import {
  LIMITS,
  provisioned,
  runAs,
  SECRETS,
  type TestDatabase,
  unprovisioned,
} from "../support/provisioned.ts";

/** Call one verb of a shard as an issuer login, as text: the first row. */
async function call(test: TestDatabase, verb: Verb, shard: number, args: string) {
  const login = await test.issuerLogin(shard % 2 === 0 ? "a" : "b");
  const name = `${verbsSchema(test.tag)}.${functionName(verb, shard)}`;
  const [row] = await runAs(login, `select * from ${name}(${args})`);
  return row ?? {};
}

/** Make a lease by hand, with the verb that the issuer calls, and return its login. */
async function leaseOf(test: TestDatabase, role: string, shard = 0) {
  const random = base32(randomBytes(8), RANDOM_LENGTH);
  const consumer = "user-service";
  const name = formatLeaseName({ tag: test.tag, role, consumer, digest: NO_KEY, shard, random });
  const password = new Secret("a-lease-of-this-test");
  const verifier = await scramVerifier(password);
  const args = `'${name}', '${verifier}', null, false, null, null`;
  expect(await call(test, "issue", shard, args)).toMatchObject({ outcome: "issued", login: name });
  return test.as(name, password);
}

describe("a provisioned database", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await provisioned();
  });

  test("is not written to when it is provisioned again", async () => {
    const before = await tracesOf(database);
    expect(before.length).toBeGreaterThan(30);
    await database.provision();
    expect(await tracesOf(database)).toEqual(before);
    expect(database.secrets.puts()).toBe(3);
  });

  test("has two logins that execute each issuer role's verbs and become none, A current and B previous", async () => {
    for (const which of ["a", "b"] as const) {
      const login = await database.issuerLogin(which);
      expect(login.username).toBe(issuerLoginName(database.tag, which));
      for (const shard of [0, 1]) {
        const role = issuerRoleName(database.tag, shard);
        await expect(runAs(login, `set role ${role}`)).rejects.toMatchObject({ code: "42501" });
        const verb = `${verbsSchema(database.tag)}.${functionName("drop_leases", shard)}`;
        expect(await runAs(login, `select * from ${verb}('{}', '{}')`)).toEqual([]);
      }
    }
  });

  test("lets an issuer role make a lease that reads but does not write", async () => {
    const lease = await leaseOf(database, "readonly");
    expect(await runAs(lease, "select count(*)::int as n from public.orders")).toEqual([{ n: 5 }]);
    await expect(
      runAs(lease, "insert into public.orders (customer, total_cents) values ('x', 1)"),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("lets an issuer role of another shard make a lease that writes, and no more", async () => {
    const lease = await leaseOf(database, "readwrite", 1);
    await runAs(lease, "insert into public.orders (customer, total_cents) values ('x', 1)");
    await runAs(lease, "update public.orders set total_cents = 2 where customer = 'x'");
    await expect(runAs(lease, "delete from public.orders")).rejects.toMatchObject({
      code: "42501",
    });
  });

  test("covers a table that the owner makes later", async () => {
    await runAs(
      database.admin(),
      `set role ${database.owner}; create table public.later (id serial primary key)`,
    );
    const lease = await leaseOf(database, "readwrite");
    await runAs(lease, "insert into public.later default values");
    expect(await runAs(lease, "select id from public.later")).toEqual([{ id: 1 }]);
  });

  test("lets an issuer login end a lease's session", async () => {
    const lease = await leaseOf(database, "readonly", 1);
    const end = runAs(lease, "select pg_catalog.pg_sleep(30)").catch((error: unknown) => error);
    const args = `array['${lease.username}'], array[${await oidOf(database, lease.username)}]::oid[], false`;
    await eventually(async () => (await call(database, "end_sessions", 0, args)).ended === 1);
    expect(await end).toMatchObject({ code: "57P01" });
  });

  test("has a group added by the next plan", async () => {
    const groupRole = groupRoleName(database.tag, "audit");
    const roles = {
      ...database.plan.roles,
      audit: { ...LIMITS, groupRole, privileges: { select: ["public.orders"] } },
    };
    const grants = [...database.plan.grants, { consumer: "user-service", role: "audit" }];
    await database.provision({ ...database.plan, shards: 3, roles, grants });
    const lease = await leaseOf(database, "audit", 2);
    expect(await runAs(lease, "select count(*) > 0 as some from public.orders")).toEqual([
      { some: true },
    ]);
    await runAs(database.admin(), `set role ${database.owner}; create table public.other ()`);
    await expect(runAs(lease, "select from public.other")).rejects.toMatchObject({ code: "42501" });
  });
});

describe("the logins and their secrets", () => {
  const current = async ({ secrets }: TestDatabase, stage: string): Promise<SecretObject> => {
    const version = await secrets.getSecret(SECRETS.issuer, { stage });
    if (version === undefined) throw new Error(`no version is ${stage}`);
    return version.value;
  };

  test("a crash after any write of a secret is mended by the next run", async () => {
    for (const writes of [0, 1, 2]) {
      const database = await unprovisioned();
      const put = database.secrets.putSecret.bind(database.secrets);
      let left = writes;
      database.secrets.putSecret = async (...args) => {
        if (left-- === 0) throw new Error("crash");
        await put(...args);
      };
      await expect(database.provision()).rejects.toThrow("crash");
      database.secrets.putSecret = put;
      await database.provision();
      expect((await database.issuerLogin("a")).username).toBe(issuerLoginName(database.tag, "a"));
      await runAs(await database.issuerLogin("a"), "select 1");
      await runAs(await database.issuerLogin("b"), "select 1");
      await runAs(await database.janitor(), "select 1");
    }
  });

  test("a password that the database lost is set again from the secret", async () => {
    const database = await provisioned();
    const login = await database.issuerLogin("b");
    await runAs(database.admin(), `alter role ${login.username} password null`);
    await expect(runAs(login, "select 1")).rejects.toMatchObject({ code: "28P01" });
    await database.provision();
    expect(await runAs(login, "select 1 as fine")).toEqual([{ fine: 1 }]);
    expect(database.secrets.puts()).toBe(3);
  });

  test("logins that a rotation has swapped are left alone", async () => {
    const database = await provisioned();
    const b = await current(database, "AWSPREVIOUS");
    await database.secrets.putSecret(SECRETS.issuer, b, { clientRequestToken: "rotated" });
    const puts = database.secrets.puts();
    await database.provision();
    expect(database.secrets.puts()).toBe(puts);
    expect((await current(database, "AWSCURRENT")).username).toBe(b.username);
  });

  test("a secret that lost one login keeps the other's password", async () => {
    const database = await provisioned();
    const a = await database.issuerLogin("a");
    const held = await current(database, "AWSCURRENT");
    await database.secrets.putSecret(SECRETS.issuer, held, { clientRequestToken: "again" });
    await database.provision();
    expect((await database.issuerLogin("a")).password.reveal()).toBe(a.password.reveal());
    await runAs(await database.issuerLogin("b"), "select 1");
  });

  test("a secret holds what AWS puts into a database secret, and what it held besides", async () => {
    const database = await unprovisioned();
    await database.secrets.putSecret(
      SECRETS.janitor,
      { engine: "postgres", note: "kept" },
      { clientRequestToken: "noted" },
    );
    await database.provision();
    const { host, port } = database.admin();
    expect((await database.secrets.getSecret(SECRETS.janitor))?.value).toMatchObject({
      engine: "postgres",
      host,
      port,
      dbname: database.database,
      username: `mf_${database.tag}_janitor`,
      note: "kept",
    });
    expect(await current(database, "AWSCURRENT")).toMatchObject({ host, port, dbname: "mayfly" });
  });
});

test("stacks provisioned at the same moment do not get in each other's way", async () => {
  const databases = await Promise.all(Array.from({ length: 4 }, () => unprovisioned()));
  await Promise.all(databases.map(({ provision }) => provision()));
  for (const database of databases) expect(await rolesOf(database)).toHaveLength(8);
});

test("no password or verifier is in any log line or error", async () => {
  const database = await provisioned();
  const passwords = await Promise.all([
    database.issuerLogin("a"),
    database.issuerLogin("b"),
    database.janitor(),
  ]);
  await database.secrets.putSecret(
    SECRETS.admin,
    { username: "nobody-here", password: new Secret("wrong-admin-password"), dbname: "orders" },
    { clientRequestToken: "wrong" },
  );
  const error: unknown = await database.provision().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: "ConfigError",
    message: expect.stringMatching(
      /^the admin secret \S+ holds a login that \S+ refuses \(code 28P01\); put the right username/,
    ),
  });
  const everything = [...database.lines, inspect(error, { depth: 9, showHidden: true })].join("\n");
  for (const { password } of passwords) expect(everything).not.toContain(password.reveal());
  expect(everything).not.toContain("wrong-admin-password");
  expect(everything).not.toContain("SCRAM-SHA-256$");
});
