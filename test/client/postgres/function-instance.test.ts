import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Keeper, Login } from "../../../client/keeper/keeper.ts";
import { type LeasedClientClass, leasedClient } from "../../../client/pg.ts";
import { hours, milliseconds, minutes, seconds } from "../../../core/time.ts";
import { fakeLambda } from "../../support/fake-lambda.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { keptLease } from "../../support/kept-lease.ts";
import { type MadeLogins, madeLogins } from "../../support/made-logins.ts";
import { seededRandom } from "../../support/virtual-time.ts";

/** More than half a day of an instance, frozen for nearly all of it. */
const INVOCATIONS = 3_000;
/** These connect to the database too, and those after a change. */
const CONNECTS_EVERY = 100;
const REVOKED_EVERY = 700;
const LONG_FREEZE_EVERY = 250;
const TTL = minutes(15);
const MAX_TTL = hours(2);

let logins: MadeLogins;
let ca: string;
beforeAll(async () => {
  const cluster = await fileCluster();
  ({ ca } = cluster);
  logins = await madeLogins(cluster);
});
afterAll(() => logins[Symbol.asyncDispose]());

/** An instance of a function, whose leases are users of a real server; its time jumps. */
function instance() {
  const { world, machine, source, keeper } = keptLease({ ttl: TTL, maxTtl: MAX_TTL, key: "own" });
  const users = new Map<string, Login>();
  const revoked = new Set<string>();
  const userOf = async ({ id }: Login): Promise<Login> => {
    const user = users.get(id) ?? { ...(await logins.make()), id };
    users.set(id, user);
    return user;
  };
  const withUsers: Keeper = {
    current: async (signal) => userOf(await world.result(keeper.current(signal))),
    replace: async (refused, signal) => userOf(await world.result(keeper.replace(refused, signal))),
    use: (login) => keeper.use(login),
    endOf: (login) => keeper.endOf(login),
    overlap: undefined,
    on: (event, listener) => keeper.on(event, listener),
    off: (event, listener) => keeper.off(event, listener),
    close: () => world.result(keeper.close()),
    [Symbol.asyncDispose]: () => keeper.close(),
  };
  const live = () => [...source.leases.values()].filter(({ id }) => source.isValid(id));
  return {
    world,
    machine,
    source,
    keeper,
    live,
    /** As the revoker does when their time is up. */
    revokeDue: async (): Promise<void> => {
      for (const [id, user] of users)
        if (!source.isValid(id) && !revoked.has(id)) {
          await logins.revoke(user);
          revoked.add(id);
        }
    },
    Client: leasedClient(withUsers, { ca }),
    usersBehind: (username: string) =>
      [...users].filter(([, user]) => user.username === username).map(([id]) => id),
  };
}

async function connectAndAsk(Client: LeasedClientClass): Promise<string> {
  const client = new Client();
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query<{ who: string }>(
    "select current_user as who from public.things right join (select 1) as one on false",
  );
  await client.end();
  return rows[0]?.who ?? "";
}

test("an instance has one lease at a time over thousands of invocations, freezes and revocations", async () => {
  const { world, machine, source, keeper, live, revokeDue, Client, usersBehind } = instance();
  const random = seededRandom(12);
  const wrong: string[] = [];
  let connected = 0;
  let newest: string | undefined;
  for (let invocation = 1; invocation <= INVOCATIONS; invocation++) {
    const isRevoked = invocation % REVOKED_EVERY === 0;
    if (isRevoked) for (const { id } of live()) source.end(id);
    if (isRevoked || invocation % CONNECTS_EVERY === 0 || newest !== live().at(-1)?.id) {
      await revokeDue();
      [newest = "nobody"] = usersBehind(await connectAndAsk(Client));
      connected += 1;
    } else {
      newest = (await world.result(keeper.current())).id;
    }
    const [older, ...others] = live();
    if (newest !== live().at(-1)?.id) wrong.push(`${invocation}: ${newest} is not the live one`);
    if (others.length > 1) wrong.push(`${invocation}: ${others.length + 1} live leases`);
    // two only while one follows the other
    if (others.length === 1 && Number(older?.maxExpiresAt) - world.now() > minutes(35))
      wrong.push(`${invocation}: a second lease before the overlap`);
    await world.run(milliseconds(20));
    const isLong = invocation % LONG_FREEZE_EVERY === 0;
    await machine.freeze(milliseconds(random() * (isLong ? hours(4) : seconds(20))));
  }
  expect(wrong).toEqual([]);
  expect(connected).toBeGreaterThan(INVOCATIONS / CONNECTS_EVERY);
  expect(new Set([...source.leases.values()].map(({ key }) => key))).toEqual(new Set(["own"]));
  // of the 20 hours: one for each two, and one after each long freeze and revocation
  expect(source.leases.size).toBeGreaterThan(INVOCATIONS / LONG_FREEZE_EVERY / 2);
  expect(source.leases.size).toBeLessThan(50);
  await world.result(keeper.close());
});

test("instances that start from one snapshot of the example ask with keys of their own", async () => {
  const lambda = await fakeLambda();
  lambda.script({ errorType: "LimitReachedError" });
  for (const [name, value] of Object.entries(lambda.env)) vi.stubEnv(name, value);
  // what is made before the first invocation is in the snapshot: nothing is, not even a name is read
  const path = "../../../examples/user-service/index.ts";
  const restored: { handler: (event: unknown, context: object) => Promise<unknown> }[] = [];
  for (const sibling of ["a", "b"]) restored.push(await import(`${path}?${sibling}`));
  const alias = "arn:aws:lambda:eu-west-1:123456789012:function:issuer:app--readonly";
  vi.stubEnv("MAYFLY_LEASE_ORDERS_READONLY", alias);
  // an asynchronous call that is repeated elsewhere has the same id
  for (const { handler } of restored)
    await expect(handler({}, { awsRequestId: "6f0c" })).rejects.toMatchObject({
      failure: "limit",
    });
  const keys = lambda.events.map((event) => (event as { idempotencyKey: string }).idempotencyKey);
  expect(keys).toHaveLength(2);
  expect(new Set(keys).size).toBe(2);
  for (const key of keys) expect(key).toMatch(/^6f0c\/[0-9a-f-]{36}$/);
  vi.unstubAllEnvs();
  await lambda.stop();
});
