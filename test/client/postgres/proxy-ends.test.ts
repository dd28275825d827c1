import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type Duration,
  type Instant,
  milliseconds,
  minutes,
  plus,
  seconds,
} from "../../../core/time.ts";
import { crashAndRestart, type OwnServer, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { errorIn, type Proxied, proxied, RawClient, typesOf } from "../../support/proxied.ts";
import { VirtualWorld } from "../../support/virtual-time.ts";

const START = Date.UTC(2027, 0, 11, 9) as Instant;

let own: OwnServer;
beforeAll(async () => {
  own = await startCluster();
});
afterAll(() => own.server.stop());

/** A parameterless statement of the extended protocol. */
function execute(client: RawClient, text: string, maxRows = 0): void {
  client.say("P", `\0${text}\0\0\0`);
  client.say("B", "\0\0\0\0\0\0\0\0");
  const rows = Buffer.alloc(5);
  rows.writeInt32BE(maxRows, 1);
  client.say("E", rows);
}

/** What sessions do when their lease ends: says it, and waits until it is so. */
const STATES: readonly {
  readonly name: string;
  readonly begin: (client: RawClient) => Promise<unknown>;
  /** Undefined: it is ended as soon as it is quiet. */
  readonly state?: string;
}[] = [
  { name: "idle", begin: async () => {} },
  {
    name: "listening",
    begin: (client) => {
      client.query("listen news");
      return client.until("Z");
    },
  },
  {
    name: "after COPY by the extended protocol",
    begin: async (client) => {
      execute(client, "copy items from stdin");
      client.say("S");
      await client.until("G");
      client.say("d", "1\tone\n");
      client.say("c");
      client.say("S");
      await client.until("Z");
    },
  },
  {
    name: "in a transaction",
    state: "in a transaction",
    begin: (client) => {
      client.query("begin");
      return client.until("Z");
    },
  },
  {
    name: "in a failed transaction",
    state: "in a failed transaction",
    begin: (client) => {
      client.query("begin; select 1/0");
      return client.until("Z");
    },
  },
  {
    name: "behind a Parse without Sync",
    state: "between messages of a statement",
    begin: (client) => {
      client.say("P", "\0select 1\0\0\0");
      client.say("H");
      return client.until("1");
    },
  },
  {
    name: "in a pipeline of three",
    state: "in a statement",
    begin: async (client) => {
      for (const text of ["select 1", "select 2", "select pg_sleep(60)"]) client.query(text);
      await client.until("Z");
      await client.until("Z");
    },
  },
  {
    name: "with a suspended portal",
    state: "between messages of a statement",
    begin: async (client) => {
      execute(client, "select generate_series(1, 9)", 1);
      client.say("H");
      await client.until("s");
    },
  },
  {
    name: "in COPY in",
    state: "in COPY",
    begin: async (client) => {
      client.query("copy items from stdin");
      await client.until("G");
      client.say("d", "1\tone\n");
    },
  },
  {
    name: "in COPY by the extended protocol",
    state: "in COPY",
    begin: async (client) => {
      execute(client, "copy items from stdin");
      client.say("S");
      await client.until("G");
    },
  },
];

const portOf = ({ proxy: { port = 0 } }: Proxied): number => port;

/** Backends of logins that the test has made. */
const backends = async ({ admin }: Proxied): Promise<number> =>
  (await admin("select from pg_stat_activity where usename like 'lease_%'")).length;

/** A proxy whose clock the test moves, and a login of its that ends after `overlap`. */
async function inVirtualTime() {
  const world = new VirtualWorld(START);
  const at = await proxied(own.cluster, { time: world.machine() });
  const replace = async (overlap: Duration): Promise<void> => {
    at.keeper.overlap = overlap;
    at.keeper.next(await at.newLogin(), plus(world.now(), overlap));
  };
  return { world, at, replace };
}

test("sessions of a lease that ends are ended when quiet, the others last and by name", async () => {
  const { world, at, replace } = await inVirtualTime();
  await using _ = at;
  const clients = await Promise.all(
    STATES.map(async ({ begin }) => {
      const client = await RawClient.logIn(portOf(at));
      await begin(client);
      return client;
    }),
  );
  await replace(minutes(35));
  const next = await RawClient.logIn(portOf(at));
  // the first six sevenths of the overlap are the pools'
  await world.run(milliseconds(minutes(30) - 1));
  expect(at.events).toEqual([]);
  const reasons = (): string[] =>
    at.events.flatMap((each) => (each.kind === "session-ended" ? [each.reason] : []));
  const quiet = STATES.filter(({ state }) => state === undefined).map(() => "quiet");
  await world.run(minutes(4));
  expect(reasons()).toEqual(quiet);
  await world.run(minutes(1));
  const answers = await Promise.all(clients.map((client) => client.closed()));
  expect(answers.map(errorIn)).toEqual(
    STATES.map(() => "FATAL 57P01: terminating connection: its lease ends"),
  );
  expect(reasons().slice(quiet.length)).toEqual(
    STATES.flatMap(({ state }) => (state === undefined ? [] : ["forced"])),
  );
  const ended = at.events.flatMap((each) => (each.kind === "session-ended" ? [each] : []));
  expect(ended.flatMap(({ reason, state }) => (reason === "forced" ? [state] : [])).sort()).toEqual(
    STATES.flatMap(({ state = [] }) => state).sort(),
  );
  expect(ended[0]).toEqual({
    kind: "session-ended",
    reason: "quiet",
    application: "test-host",
    username: at.first.username,
    age: minutes(30),
    state: "idle",
    advice: "set the pool's maximum lifetime below 30 minutes",
  });
  // the next lease has no next one: its session stays
  next.query("select 1");
  expect(typesOf(await next.until("Z"))).toBe("TDCZ");
  next.socket.destroy();
  await eventually(async () => (await backends(at)) === 0);
});

test("a busy session is ended between two transactions, and never in one", async () => {
  const { world, at, replace } = await inVirtualTime();
  await using _ = at;
  const client = await RawClient.logIn(portOf(at));
  // when the last ten begin, in which who is quiet is ended, it is at work already
  await replace(seconds(70));
  await world.run(seconds(59));
  let answers = 0;
  let last = "";
  while (!client.isClosed) {
    client.query("begin; select pg_sleep(0.005); commit");
    await world.run(milliseconds(100));
    const answer = await client.until("Z");
    last = errorIn(answer);
    if (last === "no error") answers += 1;
  }
  expect(last).toBe("FATAL 57P01: terminating connection: its lease ends");
  expect(answers).toBeGreaterThan(10);
  expect(at.events).toMatchObject([
    { kind: "session-ended", reason: "between-transactions", state: "idle" },
  ]);
});

test("a forced end in the middle of a row is a closed connection, and no words in the data", async () => {
  await using at = await proxied(own.cluster);
  const client = await RawClient.logIn(portOf(at));
  client.query("select repeat('x', 20000000)");
  await client.until("T");
  client.socket.removeAllListeners("data").pause();
  await at.replace(300);
  await eventually(() => at.events.length > 0);
  const came = await buffer(client.socket);
  expect(came.length).toBeGreaterThan(100_000);
  expect(came.length).toBeLessThan(20_000_000);
  expect(came.includes("FATAL")).toBe(false);
  expect(at.events).toMatchObject([{ reason: "forced", state: "in a statement" }]);
});

/** Long before the statements would end by themselves. */
const SOON = { within: 20_000 };

test.each([
  ["idle", async () => {}, []],
  ["in a statement", async (client: RawClient) => client.query("select pg_sleep(60)"), [1]],
  [
    "in COPY in",
    async (client: RawClient) => {
      client.query("copy items from stdin");
      await client.until("G");
    },
    [1],
  ],
  [
    "in COPY out",
    async (client: RawClient) => {
      client.query("copy (select generate_series(1, 100000000)) to stdout");
      await client.until("H");
    },
    [1],
  ],
  [
    "in a statement, reading nothing",
    async (client: RawClient) => {
      client.query("select repeat('x', 1000) from generate_series(1, 1000000)");
      await client.until("T");
      client.socket.pause();
    },
    [1],
  ],
] as const)("a client that dies %s leaves no backend", async (_, begin, cancelled) => {
  await using at = await proxied(own.cluster);
  const client = await RawClient.logIn(portOf(at));
  await begin(client);
  await eventually(async () => (await backends(at)) === 1);
  client.socket.resetAndDestroy();
  await eventually(async () => (await backends(at)) === 0, SOON);
  await eventually(() => at.proxy.sessions === 0);
  expect(at.keeper.usesOf(at.first)).toBe(0);
  expect(at.events.map(({ kind }) => kind)).toEqual(cancelled.map(() => "statement-cancelled"));
});

test("a client that says goodbye in a pipeline gets its statements done", async () => {
  await using at = await proxied(own.cluster);
  const client = await RawClient.logIn(portOf(at));
  client.query("select pg_sleep(0.2); insert into items values (7, 'goodbye')");
  client.say("X");
  client.socket.end();
  await eventually(
    async () => (await at.admin("select from public.items where id = 7")).length === 1,
  );
  expect(at.events).toEqual([]);
});

test("a session that the server ends reads why, and the next connection works", async () => {
  await using at = await proxied(own.cluster);
  const [idle, busy] = [await RawClient.logIn(portOf(at)), await RawClient.logIn(portOf(at))];
  busy.query("select pg_sleep(60)");
  await at.admin(
    "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'lease_%'",
  );
  for (const client of [idle, busy]) expect(errorIn(await client.closed())).toMatch(/^FATAL 57P01/);
  const next = await RawClient.logIn(portOf(at));
  await crashAndRestart(own);
  expect(await next.closed()).toBeDefined();
  const after = await RawClient.logIn(portOf(at));
  after.query("select 1");
  expect(typesOf(await after.until("Z"))).toBe("TDCZ");
  after.socket.destroy();
});
