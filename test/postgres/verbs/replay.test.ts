import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crashAndRestart, type OwnServer, startCluster } from "../../support/cluster.ts";
import { backdate, firstRow, leasesOf } from "../../support/evidence.ts";
import { type Issuer, issuerOn } from "../../support/leases.ts";
import { provisioned, type TestDatabase } from "../../support/provisioned.ts";

const ALIAS = "user-service--readonly";
const HOUR = 3_600;

let own: OwnServer;
let database: TestDatabase;
let issuer: Issuer;
beforeAll(async () => {
  own = await startCluster(["autovacuum=off", "synchronous_commit=on"]);
  database = await provisioned({
    cluster: own.cluster,
    limits: { ttlSeconds: HOUR, maxTtlSeconds: 2 * HOUR, maxLeases: 20 },
  });
  issuer = issuerOn(database);
});
afterAll(async () => {
  await issuer.close();
  await own.server.stop();
});

/** Let a lease be issued so many seconds earlier than it was. */
async function age(username: string, seconds: number): Promise<void> {
  await firstRow(
    database,
    `do $$ declare said jsonb := shobj_description('${username}'::regrole, 'pg_authid'); begin
       execute format('comment on role %I is %L', '${username}', said || jsonb_build_object(
         'issued', (said ->> 'issued')::int8 - ${seconds * 1_000}, 'max', (said ->> 'max')::int8 - ${seconds * 1_000}));
     end $$`,
  );
}

const transactions = async (): Promise<unknown> =>
  (await firstRow(database, "select pg_snapshot_xmax(pg_current_snapshot())::text as next")).next;

describe("minRemainingSeconds", () => {
  test("decides which earlier lease is good enough: the newest that can be renewed for so long", async () => {
    const key = { idempotencyKey: "remaining" };
    const first = await issuer.issue(ALIAS, key);
    await age(first.username, HOUR + 60); // 59 minutes are left of its two hours
    expect((await issuer.issue(ALIAS, key)).username).toBe(first.username);
    expect(
      (await issuer.issue(ALIAS, { ...key, minRemainingSeconds: 59 * 60 - 30 })).username,
    ).toBe(first.username);
    const next = await issuer.issue(ALIAS, { ...key, minRemainingSeconds: HOUR });
    expect(next.username).not.toBe(first.username);
    // both are valid meanwhile, and a restart finds the newer one
    expect((await issuer.issue(ALIAS, key)).username).toBe(next.username);
    expect((await issuer.issue(ALIAS, { ...key, minRemainingSeconds: HOUR })).username).toBe(
      next.username,
    );
  });

  test.each([
    ["none", 0],
    ["half of the maximum", HOUR],
  ])(
    "of %s lets 100 calls make two users at most, whatever the age of what is there",
    async (_, minRemainingSeconds) => {
      const before = (await leasesOf(database)).length;
      const request = { idempotencyKey: `bound-${minRemainingSeconds}`, minRemainingSeconds };
      for (let call = 0; call < 100; call++) {
        const { username } = await issuer.issue(ALIAS, request);
        await age(username, 71); // two hours pass in a hundred calls
        if (call % 25 === 0)
          await firstRow(database, `alter role "${username}" valid until '2099-01-01'`);
      }
      const made = (await leasesOf(database)).length - before;
      expect(made).toBeGreaterThan(0);
      expect(made).toBeLessThanOrEqual(2);
    },
  );

  test("of more than half the maximum is refused with both values, and makes nothing", async () => {
    const before = await leasesOf(database);
    const asking = issuer.issue(ALIAS, { idempotencyKey: "much", minRemainingSeconds: HOUR + 1 });
    await expect(asking).rejects.toThrow(
      "minRemainingSeconds 3601 is more than 3600, half of the maximum of role readonly",
    );
    expect(await leasesOf(database)).toEqual(before);
  });

  test("of a lease that is latched, expired or about to expire counts for nothing", async () => {
    const key = { idempotencyKey: "over" };
    const first = await issuer.issue(ALIAS, key);
    await backdate(database, first.username);
    const second = await issuer.issue(ALIAS, key);
    expect(second.username).not.toBe(first.username);
    await firstRow(database, `alter role "${second.username}" nologin`);
    expect((await issuer.issue(ALIAS, key)).username).not.toBe(second.username);
  });
});

test("a credential says that no next lease fits beside it where a limit of its role is 1", async () => {
  const single = await provisioned({ cluster: own.cluster, limits: { maxLeasesPerConsumer: 1 } });
  const one = issuerOn(single);
  expect(await one.issue()).toMatchObject({ successor: false });
  expect(await issuer.issue(ALIAS)).toMatchObject({ successor: true });
  await one.close();
});

test("200 replays and 200 refusals write nothing: they use up not one transaction", async () => {
  const full = await provisioned({ cluster: own.cluster, limits: { maxLeasesPerConsumer: 1 } });
  const one = issuerOn(full);
  await one.issue(ALIAS, { idempotencyKey: "replayed" });
  const before = await transactions();
  for (let n = 0; n < 200; n++) {
    await one.issue(ALIAS, { idempotencyKey: "replayed" });
    await expect(one.issue(ALIAS, { idempotencyKey: `refused-${n}` })).rejects.toThrow("at most 1");
  }
  expect(await transactions()).toBe(before);
  await one.close();
});

test("what was issued is replayed after the server has crashed and come back", async () => {
  const key = { idempotencyKey: "crash" };
  const before = await issuer.issue(ALIAS, key);
  await crashAndRestart(own);
  expect(await issuer.issue(ALIAS, key)).toEqual(before);
});
