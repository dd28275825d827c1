import { afterAll, beforeAll, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
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
    "of a temporary table to another group (E12)",
    () => `create temp table t (id int); grant select on t to ${group("readwrite")}`,
  ],
  [
    "of a temporary table to its own group, to pass on, and by column",
    () => `create temp table t (id int); grant all on t to ${group("readonly")} with grant option;
      grant select (id) on t to ${group("readwrite")}`,
  ],
  [
    "by default to another group (E13)",
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
])("what a lease grants refuses no deployment and no converge: %s", async (_, statements) => {
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
