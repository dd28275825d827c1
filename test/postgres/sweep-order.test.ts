import { describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { backdate, giveTable, leasesOf, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { type Issuer, logIn, revokeLife, sharedIssuer } from "../support/leases.ts";
import { runAs, type TestDatabase } from "../support/provisioned.ts";

const emptied = sharedIssuer();
const ALIAS = "user-service--readonly";
type Lease = Issuer & { readonly test: TestDatabase };

/** A sweep that has time for `steps` steps. */
const sweptFor = (lease: Lease, steps: number) => {
  let left = steps;
  return sweep(lease.deps, { actor: "sweep", mayContinue: () => left-- > 0 });
};
const rechecks = ({ scheduler }: Lease): number =>
  [...scheduler.schedules.keys()].filter((name) => name.endsWith("-recheck")).length;

/** Put a lease that owns something into quarantine. */
async function quarantined(lease: Lease, credential: Credential) {
  const { username, leaseId } = credential;
  await giveTable(lease.test, username);
  expect(await lease.ask(ALIAS, { action: "revoke", leaseId })).toMatchObject({
    state: "quarantined",
  });
}

/** The dependencies of a lease whose latches are answered `ms` later, by the database's clock. */
function answeredLater({ deps }: Lease, ms: number): typeof deps {
  const latch: typeof deps.engine.latch = async (...given) =>
    (await deps.engine.latch(...given)).map((latched) =>
      latched.kind === "latched"
        ? { ...latched, at: (latched.at + ms) as typeof latched.at }
        : latched,
    );
  return { ...deps, engine: { ...deps.engine, latch } };
}

test("a lease in quarantine is looked at once more, not for ever: its attempts make no schedules", async () => {
  const lease = await emptied();
  const credential = await lease.issue();
  const incarnation = await oidOf(lease.test, credential.username);
  await giveTable(lease.test, credential.username);
  const scheduled = { leaseId: credential.leaseId, incarnation };
  const again = { onlyIfDue: false, actor: "operator" };
  // the first attempt and its retries are seconds apart, and follow the same latch
  for (const ms of [1500, 0, 3000, 30_000]) {
    expect(await revokeLife(answeredLater(lease, ms), scheduled, again)).toMatchObject({
      state: "quarantined",
    });
    await sweptFor(lease, 9);
    expect(rechecks(lease)).toBe(1);
  }

  // a minute later, when the second look finds it still there
  lease.scheduler.schedules.clear();
  const due = { onlyIfDue: true, actor: "schedule" };
  expect(await revokeLife(answeredLater(lease, 61_000), scheduled, due)).toMatchObject({
    state: "quarantined",
  });
  expect(rechecks(lease)).toBe(0);
  await lease.close();
});

describe("a sweep whose time is short", () => {
  test("revokes what is due before it tries what is in quarantine", async () => {
    const lease = await emptied();
    const issued = [await lease.issue(), await lease.issue(), await lease.issue()];
    const [a, b, due] = issued.sort((x, y) => (x.username < y.username ? -1 : 1));
    if (!a || !b || !due) throw new Error("three were issued");
    for (const each of [a, b]) await quarantined(lease, each);
    await backdate(lease.test, due.username);
    expect(await sweptFor(lease, 1)).toMatchObject({ revoked: 1, quarantined: 0, left: 2 });
    expect(await leasesOf(lease.test)).not.toContain(due.username);
    await lease.close();
  });

  test("makes schedules and removes them only as long as there is time", async () => {
    const lease = await emptied();
    lease.scheduler.failNext(9);
    for (let n = 0; n < 3; n++) await lease.issue();
    for (let n = 0; n < 3; n++) {
      const { leaseId } = await lease.issue();
      await lease.ask(ALIAS, { action: "revoke", leaseId });
    }
    expect(await sweptFor(lease, 2)).toMatchObject({ schedulesMade: 2, schedulesRemoved: 0 });
    expect(await sweptFor(lease, 3)).toMatchObject({ schedulesMade: 1, schedulesRemoved: 2 });
    expect(await sweptFor(lease, 9)).toMatchObject({ schedulesMade: 0, schedulesRemoved: 1 });
    await lease.close();
  });
});

test("a schedule forged for a live lease under another name ends none of its sessions", async () => {
  const lease = await emptied();
  const credential = await lease.issue();
  const oid = await oidOf(lease.test, credential.username);
  const session = await logIn(lease.test, credential);
  const forged = { leaseId: credential.leaseId, incarnation: oid };
  lease.scheduler.schedules.set("zzzzzzzzzzzz-1900000000", forged);
  expect(await sweptFor(lease, 9)).toMatchObject({ stragglersEnded: 0 });
  expect((await session.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await session.end();
  await lease.ask(ALIAS, { action: "revoke", leaseId: credential.leaseId });
  expect(await leftOf(lease.test, credential, oid)).toEqual(NOTHING);
  await lease.close();
});

test("a sweep that backs off tries what has been in quarantine for an hour once an hour, and counts it each time", async () => {
  const lease = await emptied();
  const [old, fresh] = [await lease.issue(), await lease.issue()];
  for (const each of [old, fresh]) await quarantined(lease, each);
  await runAs(
    lease.test.superuser(),
    `do $$ declare said text := shobj_description('"${old.username}"'::regrole, 'pg_authid'); begin
       execute format('comment on role %I is %L', '${old.username}',
         regexp_replace(said, '"latched": ?[0-9]+', '"latched": 1700000000000')); end $$`,
  );
  const { engine } = lease.deps;
  const { now } = await engine.list("", 1);
  const tried: string[][] = [];
  const sweepIn = async (minutes: number, options: { readonly backsOff?: boolean }) => {
    const those: string[] = [];
    tried.push(those);
    const later: typeof engine = {
      ...engine,
      list: async (...given) => ({
        ...(await engine.list(...given)),
        now: (now + minutes * 60_000) as typeof now,
      }),
      latch: (leases, how) => {
        those.push(...leases.map(({ username }) => username));
        return engine.latch(leases, how);
      },
    };
    const how = { actor: "sweep", mayContinue: () => true, ...options };
    expect(await sweep({ ...lease.deps, engine: later }, how)).toMatchObject({ quarantined: 2 });
  };
  const times = (username: string) => tried.flat().filter((each) => each === username).length;
  for (let n = 0; n < 12; n++) await sweepIn(n * 5, { backsOff: true });
  expect([times(old.username), times(fresh.username)]).toEqual([1, 12]);
  tried.length = 0;
  await sweepIn(0, {});
  expect(times(old.username)).toBe(1);
  await lease.close();
});
