import { expect, test } from "vitest";
import { KeeperError } from "../../../client/keeper/errors.ts";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { A_DAY, AN_OVERLAP, keptLease, LONGEST_OVERLAP } from "../../support/kept-lease.ts";

test("nobody is asked before somebody wants a login", async () => {
  const { world, source } = keptLease();
  await world.run(hours(2));
  expect(source.calls).toEqual([]);
});

test("callers at the same time share one call, and later ones need none", async () => {
  const { world, keeper, source } = keptLease();
  const all = await world.result(
    Promise.all([keeper.current(), keeper.current(), keeper.current()]),
  );
  const again = await world.result(keeper.current());
  expect(new Set([...all, again]).size).toBe(1);
  expect(source.calls).toHaveLength(1);
});

test("a lease is renewed at 60 to 74 % of its life, and says until when it lives", async () => {
  const { world, keeper, source, told, current } = keptLease();
  const login = await current();
  await world.run(hours(10));
  const renewals = source.calls.filter(({ action }) => action === "renew");
  const [first] = source.calls;
  let last = first?.at ?? 0;
  for (const { at } of renewals) {
    expect(at - last).toBeGreaterThan(hours(1) * (2 / 3 - 0.07) - seconds(2));
    expect(at - last).toBeLessThan(hours(1) * (2 / 3 + 0.07) + seconds(2));
    last = at;
  }
  expect(renewals.length).toBeGreaterThanOrEqual(13);
  expect(told.map(({ name }) => name)).toEqual(renewals.map(() => "renewed"));
  const [renewed] = told;
  if (renewed?.name !== "renewed") throw new Error("nothing was renewed");
  expect(renewed.login).toBe(login);
  expect(Math.abs(renewed.endsAt - renewed.at - hours(1))).toBeLessThan(seconds(1));
  await world.result(keeper.close());
});

test("the next lease is there an overlap before the end, and both are valid meanwhile", async () => {
  const { world, keeper, source, told, current } = keptLease();
  const login = await current();
  const end = keeper.endOf(login) ?? 0;
  expect(Math.abs(end - world.now() - A_DAY)).toBeLessThan(seconds(2));
  await world.run(milliseconds(end - world.now() - LONGEST_OVERLAP - seconds(2)));
  expect(source.countOf("issue")).toBe(1);
  await world.run(LONGEST_OVERLAP);
  const replaced = told.filter(({ name }) => name === "replaced");
  expect(replaced).toHaveLength(1);
  const [event] = replaced;
  if (event?.name !== "replaced") throw new Error("nothing was replaced");
  expect(event.before).toBe(login);
  expect(event.login).toBe(await world.result(keeper.current()));
  expect(event.login.id).not.toBe(login.id);
  const overlap = (event.endsAt ?? 0) - event.at;
  expect(keeper.overlap).toBe(AN_OVERLAP);
  expect(overlap).toBeGreaterThan(AN_OVERLAP - seconds(2));
  expect(overlap).toBeLessThanOrEqual(LONGEST_OVERLAP);
  expect(source.isValid(event.login.id)).toBe(true);
});

test.each([
  [hours(1), hours(1), minutes(30) * 0.93, minutes(30)],
  [minutes(15), hours(8), AN_OVERLAP, LONGEST_OVERLAP],
  [seconds(60), seconds(60), seconds(30) * 0.93, seconds(30)],
])("leases of %i ms, up to %i ms, overlap by %i to %i ms", async (ttl, maxTtl, least, most) => {
  const { world, source, told, current } = keptLease({ ttl, maxTtl });
  await current();
  await world.run(milliseconds(maxTtl * 3));
  const replaced = told.flatMap((event) => (event.name === "replaced" ? [event] : []));
  expect(replaced.length).toBeGreaterThanOrEqual(3);
  for (const { endsAt = 0, at } of replaced) {
    expect(endsAt - at).toBeGreaterThan(least - seconds(2));
    expect(endsAt - at).toBeLessThanOrEqual(most);
  }
  expect(source.countOf("issue")).toBeLessThanOrEqual(replaced.length * 2 + 1);
  expect(told.filter(({ name }) => name === "lost" || name === "failing")).toEqual([]);
});

test("a lease that was replaced is renewed while connections use it, and no longer", async () => {
  for (const isUsed of [true, false]) {
    const { world, keeper, source, current } = keptLease({ ttl: minutes(10), maxTtl: hours(2) });
    const login = await current();
    const release = keeper.use(login);
    if (!isUsed) release();
    const end = keeper.endOf(login) ?? 0;
    await world.run(milliseconds(end - world.now() - minutes(1)));
    expect((await current()).id).not.toBe(login.id);
    expect(source.isValid(login.id)).toBe(isUsed);
    const renewals = (): number => source.calls.filter(({ id }) => id === login.id).length;
    const soFar = renewals();
    release();
    await world.run(hours(1));
    expect(renewals()).toBe(soFar);
  }
});

test("a replaced lease that is used again, is renewed again", async () => {
  const { world, keeper, source, told, current } = keptLease({
    ttl: minutes(20),
    maxTtl: hours(2),
  });
  const login = await current();
  const end = keeper.endOf(login) ?? 0;
  await world.run(milliseconds(end - world.now() - minutes(30)));
  expect(told.at(-1)?.name).toBe("replaced");
  keeper.use(login);
  await world.run(minutes(29));
  expect(source.isValid(login.id)).toBe(true);
});

test("the end of a lease in use is told, the end of an unused one is not", async () => {
  for (const isUsed of [true, false]) {
    const { world, keeper, told, current } = keptLease({ ttl: hours(1), maxTtl: hours(2) });
    const login = await current();
    if (isUsed) keeper.use(login);
    await world.run(milliseconds((keeper.endOf(login) ?? 0) - world.now() + minutes(1)));
    const lost = told.flatMap((event) => (event.name === "lost" ? [event] : []));
    expect(lost.map(({ login: { id } }) => id)).toEqual(isUsed ? [login.id] : []);
    expect(keeper.endOf(login)).toBeLessThanOrEqual(world.now());
  }
});

test("a call that fails is told with the time left, and tried again until the lease ends", async () => {
  const { world, keeper, source, told, current, names } = keptLease();
  const login = await current();
  source.failure = "unavailable";
  await world.run(minutes(59));
  expect(await current()).toBe(login);
  const failing = told.flatMap((event) => (event.name === "failing" ? [event] : []));
  expect(failing[0]?.failure).toBe("unavailable");
  expect(failing[0]?.left).toBeGreaterThan(minutes(15));
  expect(failing.length).toBeLessThan(60);
  await world.run(minutes(2));
  expect(names().at(-1)).toBe("lost");
  await expect(world.result(keeper.current())).rejects.toThrow(KeeperError);
  source.failure = undefined;
  await world.run(minutes(2));
  expect((await current()).id).not.toBe(login.id);
});

test("while a wait runs, callers get the last error and nobody is called", async () => {
  const { world, keeper, source } = keptLease();
  source.failure = "denied";
  const first = await world.result(keeper.current().catch((error: unknown) => error));
  expect(first).toBeInstanceOf(KeeperError);
  for (let count = 0; count < 100; count += 1)
    await expect(world.result(keeper.current())).rejects.toBe(first);
  expect(source.calls).toHaveLength(1);
  await world.run(minutes(6));
  await expect(world.result(keeper.current())).rejects.toThrow("it is denied");
  expect(source.calls).toHaveLength(2);
});

test("a lease that was lost is asked for when somebody wants it, not before", async () => {
  const { world, keeper, source, current, names } = keptLease();
  const login = await current();
  source.end(login.id);
  await world.run(hours(1));
  expect(names()).toEqual(["lost"]);
  const soFar = source.calls.length;
  await world.run(hours(10));
  expect(source.calls).toHaveLength(soFar);
  const [one, other] = await world.result(Promise.all([keeper.current(), keeper.current()]));
  expect(one).toBe(other);
  expect(source.isValid(one.id)).toBe(true);
  await world.run(hours(1));
  expect(names()).toEqual(["lost", "renewed"]);
});

test("an abort ends the wait of one caller, and not the call of the others", async () => {
  const { world, keeper } = keptLease();
  const stop = new AbortController();
  const first = keeper.current(stop.signal).catch((error: unknown) => error);
  const second = keeper.current();
  const reason = new Error("enough");
  stop.abort(reason);
  expect(await first).toBe(reason);
  expect((await world.result(second)).host).toBe("db.example");
  await expect(keeper.current(stop.signal)).rejects.toBe(reason);
});

test("an issuer that never answers is given 30 seconds", async () => {
  const { world, keeper, source } = keptLease();
  source.isSilent = true;
  const before = world.now();
  await expect(world.result(keeper.current())).rejects.toThrow("has not answered within 30 s");
  expect(world.now() - before).toBe(seconds(30));
});

test("a listener that throws does not stop the keeper", async () => {
  const { world, keeper, source, current } = keptLease();
  const uncaught: unknown[] = [];
  const catchIt = (error: unknown): void => {
    uncaught.push(error);
  };
  await current();
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", catchIt);
  try {
    const wrong = new Error("a listener's");
    const listener = (): void => {
      throw wrong;
    };
    keeper.on("renewed", listener);
    await world.run(hours(1));
    expect(uncaught).toEqual([wrong]);
    keeper.off("renewed", listener);
    await world.run(hours(2));
    expect(uncaught).toEqual([wrong]);
  } finally {
    process.off("uncaughtException", catchIt);
    for (const other of others) process.on("uncaughtException", other);
  }
  expect(source.countOf("renew")).toBeGreaterThan(2);
});

test("with onlyWhileUsed, an unused lease runs out, and the next login is of a new one", async () => {
  const { world, keeper, source, told, current } = keptLease({ onlyWhileUsed: true });
  const login = await current();
  await world.run(hours(3));
  expect(source.calls).toHaveLength(1);
  const next = await current();
  expect(next.id).not.toBe(login.id);
  const release = keeper.use(next);
  await world.run(hours(20));
  const renewals = source.countOf("renew");
  expect(renewals).toBeGreaterThan(25);
  release();
  await world.run(hours(20));
  expect(source.countOf("renew")).toBe(renewals);
  expect(source.countOf("issue")).toBe(2);
  expect(told.filter(({ name }) => name !== "renewed")).toEqual([]);
});

test("with onlyWhileUsed, a lease that is used again after its renewal was due is renewed at once", async () => {
  const { world, keeper, source, current } = keptLease({ onlyWhileUsed: true });
  const login = await current();
  await world.run(minutes(50));
  expect(source.countOf("renew")).toBe(0);
  keeper.use(login);
  await world.run(seconds(1));
  expect(source.countOf("renew")).toBe(1);
});
