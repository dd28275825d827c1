import { describe, expect, test } from "vitest";
import { LeaseEndedError, LimitReachedError } from "../../core/errors.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import type { Renewal } from "../../core/leases/requests/renew.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { firstRow, leasesOf, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { fleet, granted, refused } from "../support/fleet.ts";
import { issuerOn, logIn, loginRefusal } from "../support/leases.ts";
import type { TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";

async function allLogIn(test: TestDatabase, credentials: readonly Credential[]): Promise<void> {
  const codes = await Promise.all(credentials.map((each) => loginRefusal(test, each)));
  expect(codes).toEqual(credentials.map(() => undefined));
}

describe("24 callers at a limit of 10", () => {
  test("are 10 logins and 14 refusals when the limit is the dynamic role's", async () => {
    const six = await fleet(6, { limits: { maxLeases: 10 } });
    const results = await six.all(24, (instance) => instance.issue());
    expect(granted(results)).toHaveLength(10);
    for (const error of refused(results)) {
      expect(error).toBeInstanceOf(LimitReachedError);
      expect(error).toMatchObject({
        message: expect.stringContaining("role readonly has 10 leases of at most 10"),
      });
    }
    await allLogIn(six.test, granted(results));
    expect(await leasesOf(six.test)).toHaveLength(10);
    await six.close();
  });

  test("are 10 logins when the limit is a consumer's, and hinder no other consumer", async () => {
    const six = await fleet(6, { limits: { maxLeasesPerConsumer: 10 } });
    const [results, others] = await Promise.all([
      six.all(24, (instance) => instance.issue()),
      six.all(4, (instance) => instance.issue("reporting--readonly")),
    ]);
    expect(granted(results)).toHaveLength(10);
    expect(refused(results)).toHaveLength(14);
    expect(String(refused(results)[0])).toContain(
      "user-service for role readonly has 10 leases of at most 10",
    );
    expect(refused(others)).toEqual([]);
    await allLogIn(six.test, granted(results));
    await six.close();
  });

  test("are refused until one is revoked or expired: one that is only latched still takes its room", async () => {
    const one = await fleet(1, { limits: { maxLeases: 1 } });
    const [instance] = one.instances;
    for (let round = 0; round < 3; round++) {
      const { leaseId } = await instance.issue();
      await expect(instance.issue()).rejects.toMatchObject({ name: "LimitReachedError" });
      await instance.ask(ALIAS, { action: "revoke", leaseId });
    }
    const { username } = await instance.issue();
    await firstRow(one.test, `alter role "${username}" valid until '2001-01-01'`);
    const next = await instance.issue();
    await firstRow(one.test, `alter role "${next.username}" nologin`);
    await expect(instance.issue()).rejects.toMatchObject({ name: "LimitReachedError" });
    await instance.ask(ALIAS, { action: "revoke", leaseId: next.leaseId });
    await allLogIn(one.test, [await instance.issue()]);
    await one.close();
  });
});

describe("40 issues at once", () => {
  test.each([
    [5, "5 instances that take turns"],
    [40, "40 instances, one call each"],
  ])("on %i connections (%s) fail not once, and each logs in", async (count) => {
    const many = await fleet(count);
    const results = await many.all(40, (instance) => instance.issue());
    expect(refused(results)).toEqual([]);
    expect(await leasesOf(many.test)).toHaveLength(40);
    await allLogIn(many.test, granted(results));
    await many.close();
  });
});

test("24 callers with one key are one role with one password, and all answers are equal", async () => {
  const eight = await fleet(8);
  const results = await eight.all(24, (instance) =>
    instance.issue(ALIAS, { idempotencyKey: "one pod" }),
  );
  expect(refused(results)).toEqual([]);
  const [first, ...others] = granted(results);
  if (first === undefined) throw new Error("no answer");
  for (const other of others) expect(other).toEqual(first);
  expect(await leasesOf(eight.test)).toEqual([first.username]);
  await allLogIn(eight.test, [first]);
  await eight.close();
});

test("two instances that revoke one lease both say that it is gone, and neither fails", async () => {
  const two = await fleet(2);
  for (let round = 0; round < 20; round++) {
    const credential = await two.instances[0].issue();
    const { leaseId, username } = credential;
    const oid = await oidOf(two.test, username);
    const session = await logIn(two.test, credential);
    const results = await two.all(2, (instance) =>
      instance.ask(ALIAS, { action: "revoke", leaseId }),
    );
    expect(refused(results)).toEqual([]);
    const states = (granted(results) as Receipt[]).map(({ state }) => state);
    expect(states).toContain("revoked");
    expect(["revoked", "gone"]).toEqual(expect.arrayContaining(states));
    expect(await leftOf(two.test, credential, oid)).toEqual(NOTHING);
    await session.end().catch(() => {});
  }
  await two.close();
});

test("a lease that is renewed while it is revoked never logs in after the receipt", async () => {
  const four = await fleet(4);
  const other = issuerOn(four.test);
  const outcomes = { renewed: 0, refused: 0 };
  for (let round = 0; round < 40; round++) {
    const credential = await four.instances[0].issue();
    const { leaseId, username } = credential;
    const oid = await oidOf(four.test, username);
    const renewals = four.all(6, (instance) => instance.ask(ALIAS, { action: "renew", leaseId }));
    const receipt = await other.ask(ALIAS, { action: "revoke", leaseId });
    expect(receipt).toMatchObject({ state: "revoked" });
    expect(await loginRefusal(four.test, credential)).toBe("28P01");
    const results = await renewals;
    for (const error of refused(results)) expect(error).toBeInstanceOf(LeaseEndedError);
    outcomes.renewed += granted(results).length;
    outcomes.refused += refused(results).length;
    expect(await leftOf(four.test, credential, oid)).toEqual(NOTHING);
  }
  expect(outcomes.refused).toBeGreaterThan(0);
  await other.close();
  await four.close();
});

test("a lease renewed at the moment of its expiry is either revoked or renewed, not both", async () => {
  const two = await fleet(1);
  const [first] = two.instances;
  const second = issuerOn(two.test);
  const seen = { renewed: 0, revoked: 0 };
  // around the moment at which a renewal is too late, however fast the machine is
  let left = 10;
  for (let round = 0; round < 40; round++) {
    const credential = await first.issue();
    const { leaseId, username } = credential;
    await firstRow(
      two.test,
      `do $$ begin execute format('alter role %I valid until %L', '${username}',
         clock_timestamp() + interval '${left} milliseconds'); end $$`,
    );
    const [renewal, receipt] = await Promise.allSettled([
      first.ask(ALIAS, { action: "renew", leaseId }) as Promise<Renewal>,
      revokeLease(second.deps, parseLeaseId(leaseId), { onlyIfDue: true, actor: "test" }),
    ]);
    if (receipt.status === "rejected") throw receipt.reason;
    const renewed = renewal.status === "fulfilled";
    const revoked = receipt.value.state === "revoked";
    expect(renewed && revoked).toBe(false);
    expect(await loginRefusal(two.test, credential)).toBe(renewed ? undefined : "28P01");
    left = renewed ? Math.floor(left * 0.7) : Math.ceil(left * 1.4) + 1;
    seen.renewed += renewed ? 1 : 0;
    seen.revoked += revoked ? 1 : 0;
  }
  expect(seen.renewed).toBeGreaterThan(0);
  await Promise.all([second.close(), two.close()]);
});

test("renewals of one lease at once all succeed, and one of their answers stands", async () => {
  const four = await fleet(4);
  const credential = await four.instances[0].issue(ALIAS, { ttlSeconds: 60 });
  const { leaseId, username } = credential;
  for (let round = 0; round < 10; round++) {
    let ttlSeconds = 600 + round * 100;
    const results = await four.all(8, (instance) =>
      instance.ask(ALIAS, { action: "renew", leaseId, ttlSeconds: ttlSeconds++ }),
    );
    expect(refused(results)).toEqual([]);
    const { until } = await firstRow(
      four.test,
      `select extract(epoch from rolvaliduntil)::float8 * 1000 as until
         from pg_roles where rolname = '${username}'`,
    );
    const answers = (granted(results) as Renewal[]).map(({ expiresAt }) => Date.parse(expiresAt));
    expect(answers).toContain(Number(until));
  }
  await allLogIn(four.test, [credential]);
  await four.close();
});
