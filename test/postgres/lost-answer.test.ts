import type pg from "pg";
import { describe, expect, test } from "vitest";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import type { Open } from "../../lambda/postgres/connection/maintenance.ts";
import { eventually } from "../support/eventually.ts";
import { firstRow, leasesOf } from "../support/evidence.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { provisioned, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";

/** When the connection is lost: once the role is committed, or at once, finished or not. */
type Moment = "committed" | "sent";

/**
 * Connections that lose the answers to the first `losses` calls which create a role: the socket is not read any more, and then destroyed. The server goes on as if nothing had happened.
 */
function losing(test: TestDatabase, losses: number, moment: Moment): Open {
  let left = losses;
  return async (login) => {
    const client = await connect(login, TEST_LIMITS);
    const query = (async (statement: pg.QueryConfig) => {
      if (left === 0 || !statement.name?.startsWith("issue_")) return client.query(statement);
      left -= 1;
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
      stream.pause();
      const answer = client.query(statement);
      if (moment === "committed") {
        await eventually(async () => (await leasesOf(test)).length > 0);
        await idle(test);
      }
      stream.destroy();
      return answer;
    }) as typeof client.query;
    return { query, end: () => client.end() };
  };
}

interface Socket {
  pause(): void;
  destroy(): void;
}

/** The server is done with every statement that was sent to it. */
const idle = (test: TestDatabase) =>
  eventually(async () => {
    const { busy } = await firstRow(
      test,
      `select count(*)::int as busy from pg_stat_activity
         where usename like 'mf\\_${test.tag}\\_login%' and state = 'active'`,
    );
    return busy === 0;
  });

describe.each<Moment>(["committed", "sent"])(
  "an answer lost when the statement was %s",
  (moment) => {
    test.each([1, 2])(
      "%i times is found again under the same name: one role, one login, one schedule",
      async (losses) => {
        const database = await provisioned();
        const instance = issuerOn(database, { open: losing(database, losses, moment) });
        const credential = await instance.issue();
        await idle(database);
        expect(await leasesOf(database)).toEqual([credential.username]);
        await (await logIn(database, credential)).end();
        expect(instance.scheduler.schedules.size).toBe(1);
        await instance.close();
      },
    );

    test("and lost each time is an error to retry; with the key it is one role all the same", async () => {
      const database = await provisioned();
      const instance = issuerOn(database, { open: losing(database, 3, moment) });
      const keyed = { idempotencyKey: "one pod" };
      await expect(instance.issue(ALIAS, keyed)).rejects.toBeInstanceOf(DatabaseUnavailableError);
      await idle(database);
      const credential = await instance.issue(ALIAS, keyed);
      expect(await leasesOf(database)).toEqual([credential.username]);
      await (await logIn(database, credential)).end();
      await instance.close();
    });
  },
);

test("a login whose answer was lost for good has a record, an end, and from the sweep a schedule", async () => {
  const database = await provisioned();
  const instance = issuerOn(database, { open: losing(database, 3, "committed") });
  await expect(instance.issue()).rejects.toBeInstanceOf(DatabaseUnavailableError);
  expect(instance.scheduler.schedules.size).toBe(0);
  const report = await sweep(instance.deps, { actor: "sweep", mayContinue: () => true });
  expect(report).toMatchObject({ live: 1, schedulesMade: 1, foreign: [] });
  const [input] = instance.scheduler.schedules.values();
  const [username] = await leasesOf(database);
  expect(input).toMatchObject({ leaseId: `orders/readonly/${username}` });
  await instance.close();
});
