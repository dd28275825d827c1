import { expect, test } from "vitest";
import { KeeperError } from "../../../client/keeper/errors.ts";
import type { Login } from "../../../client/keeper/keeper.ts";
import { keepSecret } from "../../../client/keeper/secret-keeper.ts";
import type { SecretSource } from "../../../client/keeper/sources/secrets-manager.ts";
import { Secret } from "../../../core/secret.ts";
import { hours, type Instant, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { listenTo } from "../../support/kept-lease.ts";
import { seededRandom, VirtualWorld } from "../../support/virtual-time.ts";

const loginOf = (version: number): Login => ({
  id: `orders#${version}`,
  username: version % 2 === 0 ? "app_clone" : "app",
  password: new Secret(`password ${version}`),
  host: "db.example",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
});

function keptSecret() {
  const world = new VirtualWorld(Date.UTC(2027, 0, 11) as Instant);
  const machine = world.laptop();
  const state = { version: 1, reads: 0, failure: undefined as KeeperError | undefined };
  const source: SecretSource = {
    name: "orders",
    read: async () => {
      state.reads += 1;
      await world.wait(milliseconds(20));
      if (state.failure !== undefined) throw state.failure;
      return loginOf(state.version);
    },
  };
  const keeper = keepSecret({ source, time: machine, random: seededRandom(3) });
  const told = listenTo(keeper, () => world.now());
  const current = (): Promise<Login> => world.result(keeper.current());
  return { world, machine, state, keeper, told, current };
}

test("a secret is read once for all who want it, and about every half hour", async () => {
  const { world, state, keeper } = keptSecret();
  await world.run(hours(2));
  expect(state.reads).toBe(0);
  await world.result(Promise.all([keeper.current(), keeper.current()]));
  await world.result(keeper.current());
  expect(state.reads).toBe(1);
  await world.run(minutes(27));
  expect(state.reads).toBe(1);
  await world.run(minutes(6));
  expect(state.reads).toBe(2);
  await world.run(hours(10));
  expect(state.reads).toBeGreaterThanOrEqual(20);
  expect(state.reads).toBeLessThanOrEqual(24);
});

test("a rotation is found by the schedule, and told", async () => {
  const { world, state, told, keeper, current } = keptSecret();
  const before = await current();
  state.version = 2;
  await world.run(minutes(33));
  const login = await current();
  expect(login.username).toBe("app_clone");
  expect(told).toMatchObject([{ name: "replaced", before, login, endsAt: undefined }]);
  expect(keeper.endOf(before)).toBeUndefined();
  expect(keeper.overlap).toBeUndefined();
});

test("after a sleep longer than half an hour, the secret is read before it is handed out", async () => {
  const { machine, state, current } = keptSecret();
  await current();
  state.version = 2;
  await machine.freeze(hours(1));
  expect((await current()).id).toBe("orders#2");
});

test("a refused login is read again at once", async () => {
  const { world, state, keeper, current } = keptSecret();
  const refused = await current();
  state.version = 2;
  const [one, other] = await world.result(
    Promise.all([keeper.replace(refused), keeper.replace(refused)]),
  );
  expect(one.id).toBe("orders#2");
  expect(other).toBe(one);
  expect(state.reads).toBe(2);
  expect(await world.result(keeper.replace(refused))).toBe(one);
  expect(state.reads).toBe(2);
});

test("who is refused between the two steps of a rotation, waits for the second", async () => {
  const { world, state, keeper, current } = keptSecret();
  const refused = await current();
  const replaced = keeper.replace(refused);
  await world.run(milliseconds(1_200));
  state.version = 2;
  const before = world.now();
  expect((await world.result(replaced)).id).toBe("orders#2");
  expect(world.now() - before).toBeLessThan(seconds(2));
});

test("a login that is refused although it is the current one, is not read without end", async () => {
  const { world, state, keeper, current } = keptSecret();
  const refused = await current();
  for (let second = 0; second < 300; second += 1) {
    expect(await world.result(keeper.replace(refused))).toBe(refused);
    await world.run(seconds(1));
  }
  expect(state.reads).toBeGreaterThan(8);
  expect(state.reads).toBeLessThan(80);
});

test("while Secrets Manager is away, what was read before is handed out, and it is told", async () => {
  const { world, state, keeper, told, current } = keptSecret();
  const login = await current();
  state.failure = new KeeperError("unavailable", "it is away");
  await world.run(hours(1));
  expect(await current()).toBe(login);
  expect(told.length).toBeGreaterThan(5);
  expect(told[0]).toMatchObject({ name: "failing", failure: "unavailable", left: undefined });
  const reads = state.reads;
  await expect(world.result(keeper.replace(login))).rejects.toThrow("it is away");
  await expect(world.result(keeper.replace(login))).rejects.toThrow("it is away");
  expect(state.reads - reads).toBeLessThanOrEqual(1);
  expect(reads).toBeLessThan(90);
  state.failure = undefined;
  state.version = 2;
  await world.run(minutes(2));
  expect((await current()).id).toBe("orders#2");
});

test("without any login callers get the last error, and nobody reads while the wait runs", async () => {
  const { world, state, told, current } = keptSecret();
  state.failure = new KeeperError("denied", "no permission");
  for (let count = 0; count < 20; count += 1)
    await expect(current()).rejects.toThrow("no permission");
  expect(state.reads).toBe(1);
  expect(told).toMatchObject([{ name: "failing", failure: "denied", left: 0 }]);
  state.failure = undefined;
  await world.run(seconds(10));
  expect((await current()).id).toBe("orders#1");
});

test("a closed keeper reads no more", async () => {
  const { world, state, keeper, current } = keptSecret();
  const login = await current();
  await keeper.close();
  await world.run(hours(3));
  expect(state.reads).toBe(1);
  await expect(keeper.current()).rejects.toThrow("the keeper is closed");
  await expect(keeper.replace(login)).rejects.toThrow("the keeper is closed");
});

test("closing ends a read, and whoever waits for it reads why", async () => {
  const { keeper } = keptSecret();
  const waiting = keeper.current();
  await keeper.close();
  await expect(waiting).rejects.toThrow("the keeper is closed");
});
