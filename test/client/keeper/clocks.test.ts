import { expect, test } from "vitest";
import { keepLease } from "../../../client/keeper/lease-keeper.ts";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { A_DAY, keptLease, listenTo } from "../../support/kept-lease.ts";
import { seededRandom } from "../../support/virtual-time.ts";

test("a lease that died while the machine slept is not handed out", async () => {
  const { machine, source, current, names } = keptLease();
  const login = await current();
  await machine.freeze(hours(2));
  const next = await current();
  expect(next.id).not.toBe(login.id);
  expect(source.isValid(next.id)).toBe(true);
  expect(names()).toEqual(["lost"]);
});

test("a lease that outlived the sleep of the machine is renewed first if it ends soon", async () => {
  const { machine, source, current, names } = keptLease();
  const login = await current();
  await machine.freeze(milliseconds(minutes(59) + seconds(45)));
  expect(await current()).toBe(login);
  expect(names()).toEqual(["renewed"]);
  expect(source.countOf("renew")).toBe(1);
});

test("after a sleep, a lease in use is renewed though nobody asks", async () => {
  const { world, machine, source, current } = keptLease();
  const login = await current();
  await world.run(minutes(20)); // what is left of the timer then outlives the lease
  await machine.freeze(minutes(25));
  await world.run(minutes(8));
  expect(source.countOf("renew")).toBe(1);
  expect(source.isValid(login.id)).toBe(true);
});

test("a call that was frozen with the process is made anew, and nobody sees an error", async () => {
  const { world, machine, keeper, source, told } = keptLease();
  source.isSilent = true;
  const first = keeper.current();
  await world.run(seconds(1));
  await machine.freeze(hours(1));
  source.isSilent = false;
  const login = await world.result(keeper.current());
  expect(await world.result(first)).toBe(login);
  expect(told).toEqual([]);
  expect(source.calls).toHaveLength(2);
});

test.each([
  ["forward", 1],
  ["back", -1],
])("a clock that is set an hour %s costs at most one call, and no lease", async (_, by) => {
  const { world, machine, source, current, names, keeper } = keptLease();
  const login = await current();
  await world.run(minutes(10));
  const before = source.calls.length;
  machine.setWall(by * hours(1));
  expect(await current()).toBe(login);
  await world.run(minutes(1));
  expect(source.calls.length - before).toBeLessThanOrEqual(1);
  await world.run(hours(22));
  expect(await current()).toBe(login);
  expect(names().filter((name) => name !== "renewed")).toEqual([]);
  // a time of the database, by the clock as it is now
  const left = (keeper.endOf(login) ?? 0) - machine.now();
  const passed = minutes(11) + hours(22);
  expect(Math.abs(left - (A_DAY - passed))).toBeLessThan(seconds(10));
});

test("a clock that is set forward while the issuer is away loses no lease", async () => {
  const { world, machine, source, current, names } = keptLease();
  const login = await current();
  await world.run(minutes(10));
  source.failure = "unavailable";
  machine.setWall(hours(1));
  expect(await current()).toBe(login);
  await world.run(minutes(20));
  expect(await current()).toBe(login);
  source.failure = undefined;
  await world.run(minutes(5));
  expect(await current()).toBe(login);
  expect(new Set(names())).toEqual(new Set(["failing", "renewed"]));
});

test("a sleep near the maximum does not ask for the next before the clock is known", async () => {
  const { world, machine, source, keeper, current, names } = keptLease();
  const login = await current();
  await world.run(hours(20));
  machine.setWall(hours(4));
  await world.run(minutes(30));
  expect(source.countOf("issue")).toBe(1);
  expect(await current()).toBe(login);
  await world.run(hours(4));
  expect((await current()).id).not.toBe(login.id);
  expect(names()).toContain("replaced");
  await world.result(keeper.close());
});

test("a lease of an earlier process is renewed at once, and its age is known then", async () => {
  const first = keptLease({ key: "pod-1", shared: true });
  const login = await first.current();
  await first.world.run(minutes(50));
  await first.world.result(first.keeper.close());
  const { source, world } = first;
  const machine = world.machine();
  machine.setWall(hours(1) * -3); // and the clock of the new machine is wrong
  const keeper = keepLease({ source, key: "pod-1", time: machine, random: seededRandom(2) });
  const told = listenTo(keeper, () => world.now());
  const before = source.countOf("renew");
  const again = await world.result(keeper.current());
  expect(again.id).toBe(login.id);
  expect(source.countOf("renew")).toBe(before + 1);
  expect(told.map(({ name }) => name)).toEqual(["renewed"]);
  const left = (keeper.endOf(again) ?? 0) - machine.now();
  expect(Math.abs(left - (A_DAY - minutes(50)))).toBeLessThan(seconds(5));
});

test("a restart late in the life of a lease finds it, and asks for the next at once", async () => {
  const first = keptLease({ key: "pod-1", shared: true });
  const login = await first.current();
  await first.world.run(milliseconds(A_DAY - minutes(40)));
  await first.world.result(first.keeper.close());
  const { source, world } = first;
  await world.run(minutes(8));
  const keeper = keepLease({ source, key: "pod-1", time: world.machine() });
  expect((await world.result(keeper.current())).id).toBe(login.id);
  await world.run(seconds(5));
  expect((await world.result(keeper.current())).id).not.toBe(login.id);
  expect(source.leases.size).toBe(2);
  // the one before it finds the newer one
  const third = keepLease({ source, key: "pod-1", time: world.machine() });
  await world.result(third.current());
  expect(source.leases.size).toBe(2);
});
