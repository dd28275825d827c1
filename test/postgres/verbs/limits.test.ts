import { expect, test } from "vitest";
import { sweep } from "../../../core/leases/operation/sweep.ts";
import { backdate, firstRow, giveTable, leasesOf } from "../../support/evidence.ts";
import { fleet, granted } from "../../support/fleet.ts";
import { issuer } from "../../support/leases.ts";
import { runAs } from "../../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const sweeping = { actor: "sweep", mayContinue: () => true };

test("live and quarantined leases together never exceed a limit, however many are made and revoked", async () => {
  const five = await issuer({ limits: { maxLeases: 5 } });
  let refused = 0;
  for (let n = 0; n < 12; n++) {
    const credential = await five.issue(ALIAS).catch(() => undefined);
    if (credential === undefined) {
      refused += 1;
      continue;
    }
    await giveTable(five.test, credential.username);
    await five.ask(ALIAS, { action: "revoke", leaseId: credential.leaseId });
    expect((await leasesOf(five.test)).length).toBeLessThanOrEqual(5);
  }
  expect(refused).toBe(7);
  // a DBA clears one, and there is room for one
  const [first] = await leasesOf(five.test);
  await runAs(five.test.superuser(), `drop owned by "${first}"`);
  await sweep(five.deps, sweeping);
  await five.issue(ALIAS);
  await expect(five.issue(ALIAS)).rejects.toThrow("role readonly has 5 leases of at most 5");
  await five.close();
});

test("a lease that is over takes no room, before it is latched and after it is dropped", async () => {
  const one = await issuer({ limits: { maxLeases: 1 } });
  const { username } = await one.issue(ALIAS);
  await expect(one.issue(ALIAS)).rejects.toThrow("at most 1");
  await backdate(one.test, username);
  const next = await one.issue(ALIAS);
  await expect(one.issue(ALIAS)).rejects.toThrow("at most 1");
  await one.ask(ALIAS, { action: "revoke", leaseId: next.leaseId });
  await one.issue(ALIAS);
  await one.close();
});

test("leases that were over when they were last counted count again once they are in quarantine", async () => {
  const two = await issuer({ limits: { maxLeases: 2 } });
  const keep = async (): Promise<string> => {
    const credential = await two.issue(ALIAS);
    await giveTable(two.test, credential.username);
    await backdate(two.test, credential.username);
    return credential.username;
  };
  for (let n = 0; n < 5; n++) await keep(); // over, not latched: there is always room
  await sweep(two.deps, sweeping); // now all five are in quarantine
  await expect(two.issue(ALIAS)).rejects.toThrow("at most 2");
  await two.close();
});

test("a role dropped by hand leaves its room at once; one made by hand takes some", async () => {
  const two = await issuer({ limits: { maxLeases: 2 } });
  const { username } = await two.issue(ALIAS);
  await two.issue(ALIAS);
  await runAs(two.test.superuser(), `drop role "${username}"`);
  await two.issue(ALIAS);
  await expect(two.issue(ALIAS)).rejects.toThrow("at most 2");
  // what is counted is what is there: a bound that says less is not believed where it matters
  await runAs(
    two.test.superuser("mayfly"),
    `update mf_${two.test.tag}.counted set at_most = 2147483647`,
  );
  await expect(two.issue(ALIAS)).rejects.toThrow("at most 2");
  await runAs(two.test.superuser("mayfly"), `delete from mf_${two.test.tag}.counted`);
  await expect(two.issue(ALIAS)).rejects.toThrow("at most 2");
  await two.close();
});

test("the upper bound follows what there is, however often leases come and go", async () => {
  const few = await issuer({ limits: { maxLeases: 3, maxLeasesPerConsumer: 2 } });
  for (let n = 0; n < 8; n++) {
    const { leaseId } = await few.issue(ALIAS);
    await few.ask(ALIAS, { action: "revoke", leaseId });
  }
  await few.issue(ALIAS);
  await few.issue(ALIAS);
  await expect(few.issue(ALIAS)).rejects.toThrow(
    "user-service for role readonly has 2 leases of at most 2",
  );
  await few.issue("reporting--readonly");
  await expect(few.issue("reporting--readonly")).rejects.toThrow(
    "role readonly has 3 leases of at most 3",
  );
  const { least } = await firstRow(
    few.test,
    `select min(at_most) as least from mf_${few.test.tag}.counted where consumer = ''`,
    "mayfly",
  );
  expect(Number(least)).toBeGreaterThanOrEqual(3);
  await few.close();
});

test.each(["repeatable read", "serializable"])(
  "limits and keys are exact on a database whose sessions default to %s",
  async (level) => {
    const eight = await fleet(8, { limits: { maxLeases: 3 } });
    for (const which of ["a", "b"] as const)
      await runAs(
        eight.test.superuser(),
        `alter role mf_${eight.test.tag}_login_${which} set default_transaction_isolation = '${level}'`,
      );
    for (const instance of eight.instances) await instance.maintenance.close();
    expect(granted(await eight.all(8, (each) => each.issue(ALIAS)))).toHaveLength(3);
    expect(await leasesOf(eight.test)).toHaveLength(3);
    const key = { idempotencyKey: "one" };
    const keyed = granted(await eight.all(8, (each) => each.issue("user-service--readwrite", key)));
    expect(keyed).toHaveLength(8);
    expect(new Set(keyed.map(({ username }) => username)).size).toBe(1);
    await eight.close();
  },
);
