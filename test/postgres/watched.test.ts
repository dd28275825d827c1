import type pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import type { Reader } from "../../core/leases/lease-ports.ts";
import { operate, type Status } from "../../core/leases/operation/operate.ts";
import { type SweepReport, sweep } from "../../core/leases/operation/sweep.ts";
import type { WatchedView } from "../../core/leases/operation/watch.ts";
import type { ServerLook } from "../../core/leases/watched.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { type Issuer, issuerOn, sqlStateFrom } from "../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

const AWAY = new DatabaseUnavailableError("it is away; wait and retry");

let database: TestDatabase;
let lease: Issuer;
let app: string;
let other: string;
let writer: string;
/** Readers of the next sweep, by name: what they see, or undefined if they are away. */
let readers: Record<string, readonly string[] | undefined> = {};
const open: pg.Client[] = [];

beforeAll(async () => {
  database = await provisioned();
  const { tag, plan, superuser } = database;
  app = `app_${tag}_static`;
  other = `Odd "${tag}' \\ user`;
  await runAs(superuser(), `create role ${app} login password 'static'`);
  await database.provision({ ...plan, watch: [app, other] });
  lease = issuerOn(database, { readers: { list: async () => Object.keys(readers).map(readerOf) } });
  const { host, port } = database.admin();
  writer = `${host}:${port}`;
});
afterEach(async () => {
  readers = {};
  for (const client of open.splice(0)) await client.end();
});
afterAll(async () => {
  await lease?.close();
  await runAs(database.superuser(), `drop role if exists ${app}`);
});

function readerOf(server: string): Reader {
  const seen = readers[server];
  const users = [app, other].map((username) => ({
    username,
    sessions: seen?.includes(username) ? 2 : 0,
    applications: seen?.includes(username) ? ["on a reader"] : [],
  }));
  return {
    server,
    look: async () => [],
    countSessions: async () => 0,
    sessionsWithoutRole: async () => [],
    findWatched: async (): Promise<ServerLook> => {
      if (seen === undefined) throw AWAY;
      return { server, users };
    },
  };
}

async function logIn(application = "orders-api"): Promise<void> {
  const { username, ...login } = database.as(app, "static");
  const client = await connect({ ...login, username }, TEST_LIMITS);
  open.push(client);
  await client.query(`set application_name = '${application}'`);
}

async function logOut(): Promise<void> {
  for (const client of open.splice(0)) await client.end();
  for (let left = 200; left > 0; left--) {
    const query = `select 1 from pg_stat_activity where usename = '${app}'`;
    if ((await runAs(database.superuser(), query)).length === 0) return;
  }
}

const swept = (): Promise<SweepReport> =>
  sweep(lease.deps, { actor: "sweep", mayContinue: () => true });

async function viewOf(username = app): Promise<WatchedView> {
  const how = { actor: "operator", mayContinue: () => true };
  const { watched = [] } = (await operate(lease.deps, { action: "status" }, how)) as Status;
  const found = watched.find((each) => each.username === username);
  if (found === undefined) throw new Error(`${username} is not watched`);
  return found;
}

const seenLines = () => lease.audit.filter(({ event }) => event === "role.seen");

/** Let this much time pass for the notes. */
const backdate = (interval: string) =>
  runAs(
    database.superuser("mayfly"),
    `update mf_${database.tag}.seen set (looked, missed, seen)
       = (looked - interval '${interval}', missed - interval '${interval}', seen - interval '${interval}')`,
  );

test("a user that no sweep has looked for yet has no notes, and one that does not exist is said so", async () => {
  expect(await viewOf()).toEqual({
    username: app,
    role: "open",
    watchedSince: expect.stringMatching(/^\d{4}-.*Z$/),
    servers: [],
  });
  expect(await viewOf(other)).toMatchObject({ role: "absent", servers: [] });
  expect(database.warnings.join("\n")).toContain("a watched user does not exist");
});

test("a sweep that sees nobody notes that it looked; one that sees a session, who it was", async () => {
  expect((await swept()).watched).toEqual({ users: 2, seen: 0 });
  const [before] = (await viewOf()).servers;
  expect(before).toEqual({
    server: writer,
    state: "looked",
    looks: 1,
    lookedAt: expect.any(String),
    sessions: 0,
    applications: [],
  });
  expect(seenLines()).toEqual([]);

  await logIn();
  await logIn("psql");
  expect((await swept()).watched).toEqual({ users: 2, seen: 1 });
  const view = await viewOf();
  expect(view.seenAt).toBe(view.servers[0]?.lookedAt);
  expect(view.servers[0]).toMatchObject({
    looks: 2,
    sessions: 2,
    seenAt: view.seenAt,
    applications: ["orders-api", "psql"],
  });
  const line = {
    event: "role.seen",
    username: app,
    servers: [{ server: writer, sessions: 2 }],
    applications: ["orders-api", "psql"],
  };
  expect(seenLines()).toEqual([{ ...line, news: "first" }]);
  const finished = lease.audit.findLast(({ event }) => event === "sweep.finished");
  expect(finished).toMatchObject({ watched: { users: 2, seen: 1 } });

  await swept();
  await backdate("23 hours");
  await swept();
  expect(seenLines()).toHaveLength(1);
  await backdate("25 hours");
  await swept();
  expect(seenLines().slice(1)).toEqual([{ ...line, news: "again" }]);

  await logOut();
  await swept();
  const after = await viewOf();
  expect(after.servers[0]).toMatchObject({
    looks: 6,
    sessions: 0,
    applications: ["orders-api", "psql"],
  });
  expect(Date.parse(String(after.servers[0]?.lookedAt))).toBeGreaterThan(
    Date.parse(String(after.seenAt)),
  );
});

test("a server that could not be looked at is not one where nobody was", async () => {
  readers = { "near:5432": [], "far:5432": undefined };
  const report = await swept();
  expect(report.watched).toEqual({ users: 2, seen: 0 });
  const [, far, near] = (await viewOf()).servers;
  expect(far).toMatchObject({ server: "far:5432", state: "missed", looks: 0 });
  expect(far).not.toHaveProperty("lookedAt");
  expect(near).toMatchObject({ server: "near:5432", state: "looked", looks: 1 });

  readers = { "near:5432": undefined, "far:5432": [app] };
  expect((await swept()).watched).toEqual({ users: 2, seen: 1 });
  const [, found, lost] = (await viewOf()).servers;
  expect(found).toMatchObject({
    state: "looked",
    looks: 1,
    sessions: 2,
    applications: ["on a reader"],
  });
  expect(lost).toMatchObject({ state: "missed", looks: 1, lookedAt: near?.lookedAt });
  expect((await viewOf()).seenAt).toBe(found?.seenAt);

  // no longer one of the cluster's
  readers = { "near:5432": [] };
  await swept();
  const states = (await viewOf()).servers.map(({ server, state }) => `${server} ${state}`);
  expect(states).toEqual([`${writer} looked`, "far:5432 gone", "near:5432 looked"]);
});

test("servers that come and go are forgotten, but for the one where the user was seen last", async () => {
  readers = { "seen-last:5432": [app] };
  await swept();
  for (let round = 0; round < 2; round++) {
    readers = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`scaled-${round}-${n}:5432`, []]),
    );
    await swept();
  }
  const { servers, seenAt } = await viewOf();
  expect(servers).toHaveLength(51);
  expect(servers.find(({ server }) => server === "seen-last:5432")?.seenAt).toBe(seenAt);
  expect(servers.filter(({ state }) => state === "looked")).toHaveLength(41);
});

test("what cannot be noted is said, and keeps no lease from its end", async () => {
  const { leaseId } = await lease.issue();
  const engine = { ...lease.deps.engine, noteWatched: () => Promise.reject(AWAY) };
  const report = await sweep(
    { ...lease.deps, engine },
    { actor: "sweep", mayContinue: () => true },
  );
  expect(report).toMatchObject({ live: 1, watched: { reason: AWAY.message } });
  await lease.ask("user-service--readonly", { action: "revoke", leaseId });
});

test("an issuer login notes what it likes of watched users, and nothing else", async () => {
  const { tag, issuerLogin } = database;
  const login = await issuerLogin();
  const note = (looks: unknown) =>
    runAs(login, `select * from mf_${tag}_v1.note_watched_aa('${JSON.stringify(looks)}')`);
  for (const table of ["seen", "watched"])
    expect(await sqlStateFrom(runAs(login, `select * from mf_${tag}.${table}`))).toBe("42501");
  expect(await sqlStateFrom(runAs(login, `select mf_${tag}_v1.note_watched('[]')`))).toBe("42501");
  for (const wrong of [{}, 7, null, Array(101).fill({}), ["x".repeat(1_000_001)]])
    expect(await sqlStateFrom(note(wrong))).toBe("MF006");
  const stranger = { username: "postgres", sessions: 1, applications: [] };
  const users = [
    { username: app, sessions: 1, applications: Array(9).fill("n".repeat(100)) },
    stranger,
  ];
  const rows = await note([{ server: "s".repeat(400), users }, { server: "" }, 7]);
  const noted = rows.filter(({ server }) => server === "s".repeat(300));
  expect(noted).toMatchObject([{ username: app, sessions: 1 }]);
  expect(noted[0]?.applications).toEqual(Array(5).fill("n".repeat(64)));
  expect(rows.filter(({ username }) => username === "postgres")).toEqual([]);
});

test("NOLOGIN is said; a user that is watched no longer has no notes, nor when it is watched again", async () => {
  const { plan, tag, superuser } = database;
  await runAs(superuser(), `alter role ${app} nologin`);
  expect(await viewOf()).toMatchObject({ role: "shut", seenAt: expect.any(String) });
  expect(await database.converge({ ...plan, watch: [other] })).toMatchObject({
    watchesBegun: 0,
    watchesEnded: 1,
  });
  const notes = `select 1 from mf_${tag}.seen where username = '${app}'`;
  expect(await runAs(superuser("mayfly"), notes)).toEqual([]);
  const again = { ...plan, watch: [app, other] };
  expect(await database.converge(again)).toMatchObject({ watchesBegun: 1, watchesEnded: 0 });
  expect((await viewOf()).servers).toEqual([]);
  // whoever watches nobody has nothing written
  expect(await database.converge(plan)).toMatchObject({ watchesEnded: 2 });
  expect(await swept()).not.toHaveProperty("watched");
});
