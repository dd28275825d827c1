import { expect, test } from "vitest";
import type { Keeper, Login } from "../../client/keeper/keeper.ts";
import { keepLease } from "../../client/keeper/lease-keeper.ts";
import { issuerBy } from "../../client/keeper/sources/issuer.ts";
import { hours, minutes, seconds } from "../../core/time.ts";
import { fleet } from "../support/fleet.ts";
import { listenTo, type Told } from "../support/kept-lease.ts";
import { loginRefusal } from "../support/leases.ts";
import { MovedDatabase } from "../support/moved-database.ts";
import { seededRandom } from "../support/virtual-time.ts";

const KEEPERS = 30;
const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:issuer:user-service--readonly";

interface Replica {
  readonly keeper: Keeper;
  readonly told: Told[];
  login: Login;
}

/** Thirty replicas whose connections use every lease to its end. */
async function replicas(maxLeases: number) {
  const functions = await fleet(3, {
    limits: { ttlSeconds: 3_600, maxTtlSeconds: 7_200, maxLeases },
  });
  const database = new MovedDatabase(functions.test, functions.instances);
  const source = issuerBy(database.invoke("user-service--readonly"), ARN);
  const all = await Promise.all(
    Array.from({ length: KEEPERS }, async (_, index): Promise<Replica> => {
      const time = database.world.machine();
      const keeper = keepLease({ source, key: `pod-${index}`, time, random: seededRandom(index) });
      const told = listenTo(keeper, () => database.world.now());
      keeper.on("replaced", ({ login }) => keeper.use(login));
      const login = await keeper.current();
      keeper.use(login);
      return { keeper, told, login };
    }),
  );
  const close = async (): Promise<void> => {
    await Promise.all(all.map(({ keeper }) => keeper.close()));
    await functions.close();
  };
  return { database, all, test: functions.test, close };
}

const namesIn = (told: readonly Told[], name: Told["name"]): Told[] =>
  told.filter((each) => each.name === name);

/** What {@link loginRefusal} needs of a credential. */
const credentialOf = ({ host, port, dbname, username, password }: Login) => ({
  host,
  port,
  dbname,
  username,
  password: password.reveal(),
});

test("30 keepers under maxLeases 60: three changes, and nobody is refused", async () => {
  const { database, all, test: on, close } = await replicas(60);
  await database.world.run(hours(4.75));
  for (const { told } of all) {
    expect(namesIn(told, "failing")).toEqual([]);
    expect(namesIn(told, "replaced")).toHaveLength(3);
    // the ends of those that were replaced, at their maximum
    expect(namesIn(told, "lost").length).toBeLessThanOrEqual(3);
  }
  const [first] = all;
  if (first === undefined) throw new Error("there is no replica");
  const newest = await first.keeper.current();
  expect(newest.id).not.toBe(first.login.id);
  expect(await loginRefusal(on, credentialOf(newest))).toBeUndefined();
  await close();
  expect(await loginRefusal(on, credentialOf(newest))).toBe("28P01");
});

test("30 keepers under maxLeases 30: no lease is lost before its end, and each says why", async () => {
  const { database, all, test: on, close } = await replicas(30);
  const ends = new Map(all.map(({ keeper, login }) => [login.id, keeper.endOf(login) ?? 0]));
  await database.world.run(minutes(115));
  for (const { keeper, told, login } of all) {
    expect(await keeper.current()).toBe(login);
    expect(namesIn(told, "lost")).toEqual([]);
    const failing = told.flatMap((each) => (each.name === "failing" ? [each] : []));
    expect(failing.length).toBeGreaterThan(1);
    for (const { failure, message } of failing) {
      expect(failure).toBe("limit");
      expect(message).toContain(
        "one lease per replica twice during an overlap: maxLeases ≥ 2 × replicas",
      );
    }
  }
  const [first] = all;
  if (first === undefined) throw new Error("there is no replica");
  expect(await loginRefusal(on, credentialOf(first.login))).toBeUndefined();
  await database.world.run(minutes(10));
  for (const { keeper, told, login } of all) {
    const [lost] = namesIn(told, "lost");
    expect(lost?.at).toBeGreaterThanOrEqual((ends.get(login.id) ?? 0) - seconds(2));
    expect((await keeper.current()).id).not.toBe(login.id);
  }
  await close();
});
