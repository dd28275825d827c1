import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, serial, text } from "drizzle-orm/pg-core";
import makeKnex from "knex";
import { type Generated, Kysely, PostgresDialect, sql } from "kysely";
import { runner } from "node-pg-migrate";
import pg from "pg";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Login } from "../../../client/keeper/keeper.ts";
import { type LeasedClientClass, leasedClient } from "../../../client/pg.ts";
import { startProxy } from "../../../client/proxy/proxy.ts";
import { makeServers } from "../../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../../client/time.ts";
import { type Duration, hours, milliseconds, plus } from "../../../core/time.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { type MadeLogins, madeLogins } from "../../support/made-logins.ts";

/** How long pools keep connections. Milliseconds. */
const LIFETIME = 300;
/** How long a login and its next one are both valid: longer than the test, on any machine. */
const OVERLAP = hours(1);
/** As long as pools rest. */
const SHORT_OVERLAP = milliseconds(700);
const CHANGES = 3;
const CLIENTS = 2;
/** Two seconds on a machine that does nothing else. */
const PATIENCE = { within: 45_000, every: 20 };

/** An application of one driver. */
interface Application {
  /** Do what applications do. @returns the user that did it. */
  readonly work: () => Promise<string>;
  readonly close: () => Promise<unknown>;
}

const undo: (() => unknown)[] = [];
let logins: MadeLogins;
let keeper: FakeKeeper;
let newest: Login;
/** What an application knows that reaches the database through the proxy. */
let through: { host: string; port: number; user: string; password: string; database: string };
let proxy: Awaited<ReturnType<typeof startProxy>>;
let Client: LeasedClientClass;
beforeAll(async () => {
  const cluster = await fileCluster();
  logins = await madeLogins(cluster);
  undo.push(() => logins[Symbol.asyncDispose]());
  newest = await logins.make();
  keeper = new FakeKeeper(newest);
  keeper.overlap = OVERLAP;
  Client = leasedClient(keeper, { ca: cluster.ca });
  proxy = await startProxy({
    keeper,
    listen: { port: 0 },
    servers: makeServers({ roots: [cluster.ca], time: systemTime }),
    applicationName: "drivers",
    onEvent: () => {},
    time: systemTime,
    random: randomBytes,
  });
  undo.push(() => proxy.close(milliseconds(0)));
  through = {
    host: "127.0.0.1",
    port: proxy.port ?? 0,
    user: "nobody",
    password: "wrong",
    database: "orders",
  };
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

type Way = "through the proxy" | "with leasedClient";
const wayOf = (way: Way): pg.PoolConfig => (way === "with leasedClient" ? { Client } : through);

function poolBy(way: Way, maxLifetimeSeconds = LIFETIME / 1_000): pg.Pool {
  const pool = new pg.Pool({ ...wayOf(way), max: CLIENTS, maxLifetimeSeconds });
  pool.on("error", () => {});
  return pool;
}

const userIn = ([row]: readonly { readonly who: string }[]): string => row?.who ?? "";

function startPg(way: Way, maxLifetimeSeconds?: number): Application {
  const pool = poolBy(way, maxLifetimeSeconds);
  const work = async (): Promise<string> => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const text = "insert into things (label) values ($1) returning current_user as who";
      const { rows } = await client.query({ name: "insert", text, values: ["pg"] });
      await client.query("commit");
      return userIn(rows);
    } finally {
      client.release();
    }
  };
  return { work, close: () => pool.end() };
}

function startPostgresJs(_: Way, max_lifetime: number | null = LIFETIME / 1_000): Application {
  const { user: username, ...address } = through;
  const db = postgres({ ...address, username, max: CLIENTS, max_lifetime, onnotice: () => {} });
  const work = () =>
    db.begin(async (transaction) =>
      userIn(
        await transaction<{ who: string }[]>`
          insert into things (label) values (${"postgres.js"}) returning current_user as who`,
      ),
    );
  return { work, close: () => db.end() };
}

function startKnex(way: Way): Application {
  const pool = { max: CLIENTS, maxConnectionLifetimeMillis: LIFETIME };
  const connection = way === "with leasedClient" ? { database: through.database } : through;
  const db = makeKnex({ client: "pg", connection, pool });
  if (way === "with leasedClient") db.client.driver = { Client };
  const work = (): Promise<string> =>
    db.transaction(async (transaction) =>
      userIn(
        await transaction("things")
          .insert({ label: "knex" })
          .returning([db.raw("current_user as who") as unknown as "who"]),
      ),
    );
  return { work, close: () => db.destroy() };
}

function startKysely(way: Way): Application {
  interface Tables {
    readonly things: { readonly id: Generated<number>; readonly label: string };
  }
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: poolBy(way) }) });
  const work = async (): Promise<string> => {
    const who = sql<string>`current_user`.as("who");
    return userIn(
      await db.insertInto("things").values({ label: "kysely" }).returning(who).execute(),
    );
  };
  return { work, close: () => db.destroy() };
}

function startDrizzle(way: Way): Application {
  const pool = poolBy(way);
  const things = pgTable("things", { id: serial().primaryKey(), label: text().notNull() });
  const db = drizzle(pool);
  const work = (): Promise<string> =>
    db.transaction(async (transaction) => {
      const who = drizzleSql<string>`current_user`;
      return userIn(
        await transaction.insert(things).values({ label: "drizzle" }).returning({ who }),
      );
    });
  return { work, close: () => pool.end() };
}

/** Migrations there and back, with a connection each. */
async function startMigrations(way: Way): Promise<Application> {
  const { path: dir, remove } = tempFolder("migrations");
  const migrationsTable = `done_${way === "with leasedClient" ? "leased" : "proxied"}`;
  const label = `'migrated by ' || current_user`;
  writeFileSync(
    join(dir, "1_label.sql"),
    `-- Up Migration\ninsert into things (label) values (${label});\n-- Down Migration\ndelete from things where label = ${label};\n`,
  );
  // as a deployment's first migration leaves it
  await logins.query(`
    create table ${migrationsTable} (
      id serial primary key, name varchar(255) not null, run_on timestamp not null);
    grant all on ${migrationsTable}, ${migrationsTable}_id_seq to ${logins.group}`);
  const work = async (): Promise<string> => {
    const dbClient = way === "with leasedClient" ? new Client() : new pg.Client(through);
    dbClient.on("error", () => {});
    await dbClient.connect();
    const options = { dbClient, dir, migrationsTable, noLock: true, log: () => {} };
    const up = await runner({ ...options, direction: "up" });
    const { rows } = await dbClient.query("select current_user as who");
    const down = await runner({ ...options, direction: "down" });
    await dbClient.end();
    if (up.length !== 1 || down.length !== 1) throw new Error("not migrated there and back");
    return userIn(rows);
  };
  return { work, close: async () => remove() };
}

const DRIVERS: readonly (readonly [
  driver: string,
  start: (way: Way) => Application | Promise<Application>,
  ways: readonly Way[],
])[] = [
  ["pg", startPg, ["through the proxy", "with leasedClient"]],
  ["postgres.js", startPostgresJs, ["through the proxy"]],
  ["Knex", startKnex, ["through the proxy", "with leasedClient"]],
  ["Kysely", startKysely, ["through the proxy", "with leasedClient"]],
  ["Drizzle", startDrizzle, ["through the proxy", "with leasedClient"]],
  ["node-pg-migrate", startMigrations, ["through the proxy", "with leasedClient"]],
];

/** What became of the work of an application. */
class Course {
  readonly failed: unknown[] = [];
  readonly users = new Map<string, number>();
  isOver = false;
  done = 0;

  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Clients work side by side, each with pauses, until it is over. */
  async run({ work }: Application, clients: number): Promise<void> {
    const client = async (): Promise<void> => {
      while (!this.isOver) {
        try {
          const user = await work();
          this.users.set(user, (this.users.get(user) ?? 0) + 1);
        } catch (error) {
          this.failed.push(error);
        }
        this.done += 1;
        await setTimeout(30);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
  }
}

/** @returns the login that has a next one now, and ends after `overlap`. */
async function changeLease(overlap: Duration): Promise<Login> {
  const before = newest;
  newest = await logins.make();
  keeper.next(newest, plus(systemTime.now(), overlap));
  return before;
}

const areGone = async ({ username }: Login): Promise<boolean> =>
  (await logins.sessions())[username] === undefined;

test("no statement of pg, postgres.js, Knex, Kysely, Drizzle and node-pg-migrate fails over three leases", async () => {
  const running = await Promise.all(
    DRIVERS.flatMap(([driver, start, ways]) =>
      ways.map(async (way) => {
        const application = await start(way);
        const course = new Course(`${driver} ${way}`);
        const clients = driver === "node-pg-migrate" ? 1 : CLIENTS;
        return { course, application, end: course.run(application, clients) };
      }),
    ),
  );
  const courses = running.map(({ course }) => course);
  const allWorkAs = async ({ username }: Login): Promise<true> => {
    const missing = courses.filter(({ users }) => !users.has(username));
    if (missing.length === 0) return true;
    throw new Error(
      missing.map(({ name, failed }) => `${name}: ${String(failed.at(-1))}`).join("\n"),
    );
  };
  const users = [newest.username];
  await eventually(() => allWorkAs(newest), PATIENCE);
  for (let change = 0; change < CHANGES; change++) {
    const before = await changeLease(OVERLAP);
    users.push(newest.username);
    await eventually(async () => (await allWorkAs(newest)) && areGone(before), PATIENCE);
    await logins.revoke(before);
  }
  for (const course of courses) course.isOver = true;
  await Promise.all(running.map(({ end }) => end));
  await Promise.all(running.map(({ application }) => application.close()));

  expect(courses.flatMap(({ name, failed }) => failed.map((error) => [name, error]))).toEqual([]);
  for (const { name, users: seen } of courses)
    expect([name, [...seen.keys()]]).toEqual([name, users]);
  expect(courses.reduce((sum, { done }) => sum + done, 0)).toBeGreaterThan(200);
});

test("pools without a lifetime that rest while a lease ends lose no statement through the proxy", async () => {
  const applications = [
    startPg("through the proxy", 0),
    startPostgresJs("through the proxy", null),
  ];
  const workAtOnce = (): Promise<string[]> =>
    Promise.all(applications.flatMap(({ work }) => Array.from({ length: CLIENTS }, () => work())));
  for (let change = 0; change < CHANGES; change++) {
    expect(new Set(await workAtOnce())).toEqual(new Set([newest.username]));
    const before = await changeLease(SHORT_OVERLAP);
    // the proxy ends what is quiet before the lease ends, and pools notice
    await eventually(() => proxy.sessions === 0 && areGone(before), PATIENCE);
    expect(new Set(await workAtOnce())).toEqual(new Set([newest.username]));
    await logins.revoke(before);
  }
  await Promise.all(applications.map(({ close }) => close()));
});
