import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Keeper } from "../../../client/keeper/keeper.ts";
import { keepLease } from "../../../client/keeper/lease-keeper.ts";
import { leasedClient } from "../../../client/pg/leased-client.ts";
import { startProxy } from "../../../client/proxy/proxy.ts";
import { makeServers } from "../../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../../client/time.ts";
import { type OwnServer, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { LeasedDatabase } from "../../support/leased-database.ts";
import { Traffic } from "../../support/traffic.ts";

/** Longer than the life of the first lease, or the minute of `npm run test:applications`. */
const isWhole = process.env.MAYFLY_APPLICATIONS === "whole";
const RUN = isWhole ? 60_000 : 11_000;
/** Two leases are valid together for half of the maximum, and so one replaces another as often. */
const TIMES = { ttlSeconds: 10, maxTtlSeconds: isWhole ? 30 : 10 };
const CHANGES = isWhole ? 3 : 1;
/** Half of the overlap: an issuer that is away when a lease is due makes it shorter. */
const LIFETIME_SECONDS = TIMES.maxTtlSeconds / 4;
/**
 * The issuer is away for the first third of each. A lease is renewed at six tenths of its life: it
 * survives what is a little shorter than the rest of it.
 */
const AWAY_EVERY = isWhole ? 9_000 : 1_500;
const PER_SECOND = 100;

interface Application {
  readonly pool: pg.Pool;
  readonly keeper: Keeper;
}

const undo: (() => Promise<unknown>)[] = [];
let server: OwnServer;
let database: LeasedDatabase;
let both: readonly Application[];
beforeAll(async () => {
  server = await startCluster();
  undo.push(() => server.server.stop());
  database = await LeasedDatabase.start({ cluster: server.cluster, ...TIMES });
  undo.push(() => database.close());
  both = [await throughProxy(), withLeasedClient()];
  await Promise.all(both.map(({ pool }) => pool.query("select 1")));
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

function startKeeper(): Keeper {
  const keeper = keepLease({
    source: database.source("user-service--readonly"),
    time: systemTime,
    random: () => 0, // it asks as soon, and again as soon, as it ever does
  });
  undo.push(() => keeper.close());
  return keeper;
}

function application(pool: pg.Pool, keeper: Keeper): Application {
  pool.on("error", () => {}); // connections that end while nobody uses them
  undo.push(() => pool.end());
  return { pool, keeper };
}

/** It knows nothing: an address on this machine, and a user and a password of nobody. */
async function throughProxy(): Promise<Application> {
  const keeper = startKeeper();
  const proxy = await startProxy({
    keeper,
    listen: { port: 0 },
    servers: makeServers({ roots: [server.cluster.ca], time: systemTime }),
    applicationName: "shop",
    onEvent: () => {},
    time: systemTime,
    random: randomBytes,
  });
  undo.push(() => proxy.close());
  const pool = new pg.Pool({
    connectionString: `postgresql://nobody:wrong@127.0.0.1:${proxy.port}/${database.test.database}`,
    max: 4,
    maxLifetimeSeconds: LIFETIME_SECONDS,
  });
  return application(pool, keeper);
}

function withLeasedClient(): Application {
  const keeper = startKeeper();
  const pool = new pg.Pool({
    Client: leasedClient(keeper, { ca: server.cluster.ca }),
    max: 4,
    maxLifetimeSeconds: LIFETIME_SECONDS,
  });
  return application(pool, keeper);
}

function startTraffic(): readonly Traffic[] {
  const traffic = both.map(({ pool }) => new Traffic(pool, PER_SECOND));
  for (const each of traffic) each.start();
  return traffic;
}

/** Until each had some more answers. */
async function stopTraffic(traffic: readonly Traffic[], more = 50): Promise<void> {
  const wanted = traffic.map(({ answered }) => answered + more);
  await eventually(() => traffic.every(({ answered }, i) => answered >= (wanted[i] ?? 0)));
  await Promise.all(traffic.map((each) => each.stop()));
}

/** A long statement of each application. @returns the SQLSTATEs that they fail with. */
async function beginLongStatements(): Promise<readonly Promise<unknown>[]> {
  const codes = both.map(({ pool }) =>
    pool.query("select pg_sleep(60)").then(
      () => "it succeeded",
      (error: { readonly code?: string }) => error.code,
    ),
  );
  await eventually(async () => (await database.running("pg_sleep")) === both.length);
  return codes;
}

/** Call `change` again and again with how long it was, 0 at first. */
function asTimePasses(change: (passed: number) => void): () => void {
  const began = performance.now();
  const timer = setInterval(() => change(performance.now() - began), 20);
  return () => clearInterval(timer);
}

describe("an application through the proxy, and one with leasedClient", () => {
  test(
    `fail no statement of ${PER_SECOND} a second while leases change, the issuer's password is rotated, and the issuer is away for a third of the time`,
    async () => {
      const traffic = startTraffic();
      const stop = asTimePasses((passed) => {
        // in a short run no call may fall into any such time: then until one does
        const isMissed = passed > RUN / 4 && database.refused === 0;
        database.isAway = isMissed || passed % AWAY_EVERY < AWAY_EVERY / 3;
      });
      await setTimeout(RUN / 2);
      await Promise.all([database.rotateIssuer(), setTimeout(RUN / 2)]);
      stop();
      database.isAway = false;
      await stopTraffic(traffic, 0);

      for (const { failed, answered, users } of traffic) {
        expect(failed).toEqual([]);
        expect(answered).toBeGreaterThan((RUN / 1_000) * PER_SECOND * 0.95);
        expect(users.size).toBeGreaterThan(CHANGES);
      }
      expect(database.refused).toBeGreaterThan(0);
      expect(database.faults).toEqual([]);
    },
    RUN + 60_000,
  );

  test("lose the statements in flight when all leases are revoked, and nothing else", async () => {
    const inFlight = await beginLongStatements();
    const traffic = startTraffic();
    await eventually(() => traffic.every(({ answered }) => answered > 0));
    await database.revokeEverything();
    const revoked = performance.now();
    await stopTraffic(traffic);

    expect(await Promise.all(inFlight)).toEqual(["57P01", "57P01"]);
    for (const [i, { failed, users }] of traffic.entries()) {
      expect(failed.filter(({ began }) => began > revoked)).toEqual([]);
      // 42501: in the moment between the latch and the end of the session
      expect(failed.filter(({ code = "" }) => !["57P01", "42501"].includes(code))).toEqual([]);
      expect(users).toContain((await both[i]?.keeper.current())?.username);
    }
  });

  test("lose the statements in flight when the database restarts, and connect as soon as it is back", async () => {
    const inFlight = await beginLongStatements();
    await server.server.shutDown();
    expect(await Promise.all(inFlight)).toEqual(["57P01", "57P01"]);
    await server.server.restart();
    const traffic = startTraffic();
    await stopTraffic(traffic);
    for (const { failed } of traffic) expect(failed).toEqual([]);
  });
});
