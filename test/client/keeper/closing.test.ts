import { expect, test } from "vitest";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { keptLease } from "../../support/kept-lease.ts";

test("a keeper revokes all it holds when it is closed, and asks nobody after that", async () => {
  const { world, source, keeper, current } = keptLease({ ttl: hours(1), maxTtl: hours(2) });
  const first = await current();
  keeper.use(first);
  await world.run(minutes(95));
  const second = await current();
  expect([first, second].map(({ id }) => source.isValid(id))).toEqual([true, true]);
  await world.result(keeper.close());
  expect([first, second].map(({ id }) => source.isValid(id))).toEqual([false, false]);
  const calls = source.calls.length;
  await expect(keeper.current()).rejects.toThrow("the keeper is closed");
  await expect(keeper.replace(second)).rejects.toThrow("the keeper is closed");
  await world.run(hours(3));
  await keeper.close();
  expect(source.calls).toHaveLength(calls);
});

test("the lease of a shared key is left to the others", async () => {
  const { world, source, keeper, current } = keptLease({ key: "all-pods", shared: true });
  const login = await current();
  await world.result(keeper.close());
  expect(source.isValid(login.id)).toBe(true);
});

test("a lease that arrives while the keeper is closed is revoked too", async () => {
  const { world, source, keeper } = keptLease();
  const asked = keeper.current();
  await world.run(milliseconds(10));
  const closed = keeper.close();
  await world.result(asked);
  await world.result(closed);
  expect(source.calls.map(({ action }) => action)).toEqual(["issue", "revoke"]);
});

test("closing takes five seconds at most, does not throw, and says what is left", async () => {
  const { world, source, keeper, told, current } = keptLease();
  await current();
  source.isSilent = true;
  const before = world.now();
  await world.result(keeper.close());
  expect(world.now() - before).toBe(seconds(5));
  expect(told.at(-1)).toMatchObject({ name: "failing", failure: "unavailable" });
});

test("a keeper is closed at the end of its block", async () => {
  const { world, source, keeper, current } = keptLease();
  const login = await current();
  const block = async (): Promise<void> => {
    await using kept = keeper;
    expect(await kept.current()).toBe(login);
  };
  await world.result(block());
  expect(source.isValid(login.id)).toBe(false);
});
