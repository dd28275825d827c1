import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OwnServer, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { firstRow, leasesOf } from "../../support/evidence.ts";
import { fleet, granted, refused } from "../../support/fleet.ts";
import { runAs } from "../../support/provisioned.ts";

let own: OwnServer;
beforeAll(async () => {
  own = await startCluster(["synchronous_commit=on"]);
});
afterAll(() => own.server.stop());

/** Whoever waits for a commit to be confirmed by a standby that there is not. */
const STALL = 5_000;

test("40 honest callers while commits stall for five seconds: nobody is ended, and no second user is made", async () => {
  const ten = await fleet(10, { cluster: own.cluster });
  const superuser = ten.test.superuser("postgres");
  const set = async (standbys: string): Promise<void> => {
    await runAs(superuser, `alter system set synchronous_standby_names = '${standbys}'`);
    await runAs(superuser, "select pg_reload_conf()");
  };
  const pids = async (): Promise<unknown> =>
    (
      await firstRow(
        ten.test,
        `select array_agg(pid order by pid) as pids from pg_stat_activity where usename like 'mf\\_${ten.test.tag}\\_login%'`,
      )
    ).pids;
  const before = await pids();
  await set("nobody");
  const asking = ten.all(40, (instance) => {
    const key = { idempotencyKey: `caller-${Math.floor(Math.random() * 4)}` };
    return instance.issue("user-service--readonly", key);
  });
  await eventually(
    async () =>
      Number(
        (
          await firstRow(
            ten.test,
            "select count(*)::int from pg_stat_activity where wait_event = 'SyncRep'",
          )
        ).count,
      ) > 0,
  );
  await setTimeout(STALL);
  await set("");
  const results = await asking;
  expect(refused(results)).toEqual([]);
  expect(new Set(granted(results).map(({ username }) => username)).size).toBeLessThanOrEqual(4);
  expect((await leasesOf(ten.test)).length).toBeLessThanOrEqual(4);
  expect(await pids()).toEqual(before);
  await ten.close();
});
