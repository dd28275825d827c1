import { expect, test } from "vitest";
import { KeeperError } from "../../../client/keeper/errors.ts";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { keptLease, type Told } from "../../support/kept-lease.ts";

const failuresIn = (told: readonly Told[]) =>
  told.flatMap((event) => (event.name === "failing" ? [event] : []));

test("at the limit the old lease goes on to its end, which is announced with the reason", async () => {
  const { world, source, keeper, told, current } = keptLease({
    ttl: minutes(15),
    maxTtl: hours(2),
  });
  const login = await current();
  source.failure = undefined;
  source.maxLeases = 1; // others have what is left
  const end = keeper.endOf(login) ?? 0;
  await world.run(milliseconds(end - world.now() - seconds(2)));
  expect(await current()).toBe(login);
  expect(source.isValid(login.id)).toBe(true);
  const failures = failuresIn(told);
  expect(new Set(failures.map(({ failure }) => failure))).toEqual(new Set(["limit"]));
  expect(failures[0]?.left).toBeGreaterThan(minutes(30));
  expect(failures.length).toBeGreaterThan(5);
  expect(failures.length).toBeLessThan(40);
  await world.run(seconds(4));
  expect(told.at(-1)?.name).toBe("lost");
  // its own place is free now, and the wait for others' does not count
  expect((await current()).id).not.toBe(login.id);
});

test("an issuer that calls the next lease impossible is asked ever less often, and renews", async () => {
  const { world, source, told, current } = keptLease({ ttl: minutes(15), maxTtl: hours(2) });
  const login = await current();
  let asked = 0;
  source.issue = async () => {
    asked += 1;
    throw new KeeperError("invalid", "ttlSeconds is beyond the role's maximum");
  };
  await world.run(minutes(115));
  expect(await current()).toBe(login);
  expect(source.isValid(login.id)).toBe(true);
  expect(asked).toBeGreaterThan(5);
  expect(asked).toBeLessThan(40);
  expect(source.countOf("renew")).toBeLessThan(60);
  expect(failuresIn(told)).toHaveLength(asked);
});

test("a limit that is raised in time is enough", async () => {
  const { world, source, told, current } = keptLease({ ttl: minutes(15), maxTtl: hours(2) });
  const login = await current();
  source.maxLeases = 1;
  await world.run(milliseconds(hours(2) - minutes(20)));
  source.maxLeases = 2;
  await world.run(minutes(8));
  expect((await current()).id).not.toBe(login.id);
  expect(told.filter(({ name }) => name === "lost")).toEqual([]);
});

test("a role of one lease: nothing is asked for before the end, which is announced", async () => {
  const { world, source, keeper, told, current } = keptLease({
    ttl: hours(1),
    maxTtl: hours(2),
    maxLeases: 1,
  });
  const login = await current();
  expect(keeper.overlap).toBeUndefined();
  keeper.use(login);
  const end = keeper.endOf(login) ?? 0;
  await world.run(milliseconds(end - world.now() - seconds(10)));
  expect(source.countOf("issue")).toBe(1);
  const failures = failuresIn(told);
  expect(failures).toHaveLength(1);
  expect(failures[0]?.message).toContain("allows one lease");
  expect(failures[0]?.left).toBeGreaterThan(minutes(30));
  await world.run(milliseconds(seconds(6) + 20));
  // while it is revoked and the next is issued, callers wait for that one
  const next = await current();
  expect(next.id).not.toBe(login.id);
  expect(world.now()).toBeLessThan(end);
  expect(told.filter(({ name }) => name === "lost")).toHaveLength(1);
  expect(source.calls.slice(-2).map(({ action }) => action)).toEqual(["revoke", "issue"]);
  await world.run(hours(1));
  expect(source.isValid(next.id)).toBe(true);
});

test("a maximum that is lowered meanwhile is learnt by renewing", async () => {
  const { world, source, told, current } = keptLease({ ttl: hours(1), maxTtl: hours(24) });
  const login = await current();
  source.maxTtl = minutes(30);
  await world.run(hours(1));
  expect((await current()).id).not.toBe(login.id);
  source.maxTtl = hours(24);
  await world.run(hours(30));
  expect(told.filter(({ name }) => name === "replaced").length).toBeGreaterThanOrEqual(1);
});

test.each([
  ["denied", 12],
  ["absent", 12],
  ["throttled", 30],
  ["unavailable", 45],
] as const)("an issuer that is %s for 20 minutes gets %i calls at most", async (failure, most) => {
  const { world, source, keeper, told, current } = keptLease();
  const login = await current();
  await world.run(minutes(36));
  const before = source.calls.length;
  source.failure = failure;
  for (let second = 0; second < 20 * 60; second += 1) {
    await world.run(seconds(1));
    await keeper.current();
  }
  expect(source.calls.length - before).toBeLessThanOrEqual(most);
  expect(source.calls.length - before).toBeGreaterThan(4);
  expect(new Set(failuresIn(told).map((event) => event.failure))).toEqual(new Set([failure]));
  expect(await current()).toBe(login);
});
