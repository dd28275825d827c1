import { expect, test } from "vitest";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { keptLease } from "../../support/kept-lease.ts";

test("a refused login that is over is replaced by a fresh one, once for all who were refused", async () => {
  const { world, source, keeper, current, names } = keptLease();
  const login = await current();
  source.end(login.id);
  const [one, other] = await world.result(
    Promise.all([keeper.replace(login), keeper.replace(login)]),
  );
  expect(one.id).not.toBe(login.id);
  expect(other).toBe(one);
  expect(await current()).toBe(one);
  expect(source.calls.map(({ action }) => action)).toEqual(["issue", "renew", "issue"]);
  expect(names()).toEqual(["lost"]);
});

test("a refused login that the issuer calls valid stays, and is not asked about without end", async () => {
  const { world, source, keeper, current } = keptLease();
  const login = await current();
  for (let second = 0; second < 600; second += 1) {
    expect(await world.result(keeper.replace(login))).toBe(login);
    await world.run(seconds(1));
  }
  expect(source.calls.length).toBeGreaterThan(5);
  expect(source.calls.length).toBeLessThan(40);
  // an hour later it is asked about at once
  await world.run(hours(1));
  source.end(login.id);
  expect((await world.result(keeper.replace(login))).id).not.toBe(login.id);
});

test("a login that is not the newest is answered with the newest, and looked at", async () => {
  const { world, source, keeper, told, current } = keptLease({
    ttl: hours(1),
    maxTtl: hours(2),
  });
  const login = await current();
  keeper.use(login);
  await world.run(minutes(90));
  const newest = await current();
  expect(newest.id).not.toBe(login.id);
  source.end(login.id);
  expect(await world.result(keeper.replace(login))).toBe(newest);
  await world.run(seconds(1));
  expect(told.at(-1)).toMatchObject({ name: "lost", login: { id: login.id } });
  expect(await world.result(keeper.replace(login))).toBe(newest);
});

test("sessions of a replaced login that are refused all the time do not ask all the time", async () => {
  const { world, source, keeper, current } = keptLease({ ttl: hours(1), maxTtl: hours(2) });
  const login = await current();
  keeper.use(login);
  await world.run(minutes(90));
  const before = source.calls.length;
  for (let refusal = 0; refusal < 600; refusal += 1) {
    await world.result(keeper.replace(login));
    await world.run(milliseconds(500));
  }
  expect(source.calls.length - before).toBeGreaterThanOrEqual(5);
  expect(source.calls.length - before).toBeLessThanOrEqual(7);
});

test("while the issuer is away, who was refused reads why", async () => {
  const { world, source, keeper, current } = keptLease();
  const login = await current();
  source.failure = "unavailable";
  await expect(world.result(keeper.replace(login))).rejects.toThrow("it is unavailable");
  const before = source.calls.length;
  await expect(world.result(keeper.replace(login))).rejects.toThrow("it is unavailable");
  expect(source.calls.length).toBe(before);
});
