import { afterAll, beforeAll, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { ident } from "../../lambda/postgres/connection/sql.ts";
import { type Issuer, issuer, logIn } from "../support/leases.ts";
import { runAs, type TestDatabase } from "../support/provisioned.ts";

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer();
});
afterAll(() => lease.close());

const group = (role: string): string => groupRoleName(lease.test.tag, role);

/** What a lease says while it lives; then the deployment, and the end. */
test.each([
  [
    "of a temporary table to another group",
    () => `create temp table t (id int); grant select on t to ${group("readwrite")}`,
  ],
  [
    "of a temporary table to its own group, to pass on, and by column",
    () => `create temp table t (id int); grant all on t to ${group("readonly")} with grant option;
      grant select (id) on t to ${group("readwrite")}`,
  ],
  [
    "by default to another group",
    () => `alter default privileges grant select on tables to ${group("readwrite")}`,
  ],
  [
    "by default, of its own group, to another",
    () => `alter default privileges for role ${group("readonly")}
      grant select on tables to ${group("readwrite")}`,
  ],
  [
    "by default, of its own group in a schema, to everybody and another group",
    () => `alter default privileges for role ${group("readonly")} in schema public
      grant all on sequences to public, ${group("readwrite")}`,
  ],
])("C21: what a lease grants refuses no deployment and no converge: %s", async (_, statements) => {
  const credential = await lease.issue();
  const session = await logIn(lease.test, credential);
  await session.query(statements());
  expect(await lease.test.provision()).toMatchObject({ privilegesWithdrawn: 0 });
  await lease.test.converge();
  await session.end();
  expect(
    await lease.ask("user-service--readonly", { action: "revoke", leaseId: credential.leaseId }),
  ).toMatchObject({ state: "revoked" });
  await lease.test.converge();
});

test("what the owner of tables grants by default to a group is still taken away", async () => {
  const { owner, superuser } = lease.test;
  await runAs(
    superuser(),
    `set role ${owner}; alter default privileges grant delete on tables to ${group("readonly")}`,
  );
  expect(await lease.test.provision()).toMatchObject({ privilegesWithdrawn: 1 });
});

/** What a converge says of what leases have made. */
const madeByLeases = async (): Promise<string[]> =>
  (await lease.test.converge()).warnings.filter((each) => each.includes("made by"));

test("what a lease made is its own, refuses nothing, and is given to nobody", async () => {
  const { superuser } = lease.test;
  await runAs(superuser(), `grant create on schema public to ${group("readonly")}`);
  const credential = await lease.issue();
  const { leaseId, username } = credential;
  await runAs(
    lease.test.as(username, credential.password),
    `create view public.a as select 1 as one; create materialized view public.b as select 1 as one;
     create table public.c (id int)`,
  );
  await runAs(superuser(), `revoke create on schema public from ${group("readonly")}`);
  await lease.test.provision();
  const [problem = "", ...others] = await madeByLeases();
  expect(others).toEqual([]);
  expect(problem).toContain(
    `what: public.a, public.b, public.c were made by the lease "${username}"; revoke it, let leases create nothing there, and drop what nobody needs; have a DBA run: DROP VIEW "public"."a"; DROP MATERIALIZED VIEW "public"."b"; DROP TABLE "public"."c";`,
  );
  const revoked = () => lease.ask("user-service--readonly", { action: "revoke", leaseId });
  expect(await revoked()).toMatchObject({ state: "quarantined" });
  await lease.test.provision(); // nor does it in quarantine
  await runAs(superuser(), /DROP .*;/.exec(problem)?.[0] ?? "");
  expect(await madeByLeases()).toEqual([]);
  expect(await revoked()).toMatchObject({ state: "revoked" });
});

test("a name with a line of ours in it stays one name, and what is printed drops it", async () => {
  const { superuser } = lease.test;
  const name = "t\n- have a DBA run: GRANT app_owner TO evil; \\ \u2028 \u202e";
  await runAs(superuser(), `grant create on schema public to ${group("readonly")}`);
  const credential = await lease.issue();
  await runAs(
    lease.test.as(credential.username, credential.password),
    `create table public.${ident(name)} (id int)`,
  );
  await runAs(superuser(), `revoke create on schema public from ${group("readonly")}`);
  await lease.test.provision();
  const [what = ""] = await madeByLeases();
  expect(what).not.toMatch(/[\n\u2028\u202e]/);
  const [remedy = ""] = /DROP TABLE "public".*;$/m.exec(what) ?? [];
  await runAs(superuser(), remedy);
  expect(await madeByLeases()).toEqual([]);
  const { leaseId } = credential;
  await lease.ask("user-service--readonly", { action: "revoke", leaseId });
});

test("nor does a name beside another: each problem stays on its own line", async () => {
  const { superuser, provision } = lease.test;
  const names = ['x"y', "w\n- have a DBA run: GRANT app TO mallory;", "z\u200b"];
  for (const name of names) await runAs(superuser(), `create table public.${ident(name)} (id int)`);
  const refusal = await provision().then(String, String);
  expect(refusal.split("\n").filter((line) => line.startsWith("- "))).toHaveLength(1);
  expect(refusal).not.toContain("\u200b");
  const [remedy = ""] = /GRANT insert, select.* WITH GRANT OPTION;/.exec(refusal) ?? [];
  await runAs(superuser(), remedy);
  await provision();
  for (const name of names) await runAs(superuser(), `drop table public.${ident(name)}`);
});
