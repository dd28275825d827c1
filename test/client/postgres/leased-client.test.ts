import { createServer, type Server } from "node:net";
import { rootCertificates } from "node:tls";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Login } from "../../../client/keeper/keeper.ts";
import { leasedClient } from "../../../client/pg.ts";
import { Secret } from "../../../core/secret.ts";
import type { Instant } from "../../../core/time.ts";
import type { TestCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { type MadeLogins, madeLogins } from "../../support/made-logins.ts";

const END = 0 as Instant;

let cluster: TestCluster;
let logins: MadeLogins;
let first: Login;
let keeper: FakeKeeper;
let Client: ReturnType<typeof leasedClient>;

beforeAll(async () => {
  cluster = await fileCluster();
  logins = await madeLogins(cluster);
});
afterAll(() => logins[Symbol.asyncDispose]());
beforeEach(async () => {
  first = await logins.make();
  keeper = new FakeKeeper(first);
  Client = leasedClient(keeper, { ca: cluster.ca });
});

const whoAmI = async (client: Pick<pg.ClientBase, "query">): Promise<unknown> =>
  (await client.query<{ who: string }>("select current_user as who")).rows[0]?.who;

test("a client logs in with the newest lease, over TLS, in the lease's database", async () => {
  const client = new Client();
  const connected: pg.Client = await client.connect();
  expect(connected).toBe(client);
  const { rows } = await client.query(
    `select current_user as who, current_database() as database,
            (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as ssl`,
  );
  expect(rows).toEqual([{ who: first.username, database: "orders", ssl: true }]);
  expect(JSON.stringify(client)).not.toContain(first.password.reveal());
  await client.end();
});

test("the callback form of connect tells its caller, and a second connect is refused at any time", async () => {
  const client = new Client({ application_name: "callback" });
  const first = new Promise((resolve) => {
    client.connect((...answer: readonly unknown[]) => resolve(answer));
  });
  await expect(client.connect()).rejects.toThrow("already been connected");
  expect(await first).toEqual([null, client]);
  await expect(client.connect()).rejects.toThrow("already been connected");
  await client.end();
});

test("a pool follows three leases without a failed statement, and uses each until its clients end", async () => {
  const pool = new pg.Pool({ Client, max: 3, maxLifetimeSeconds: 0.1 });
  pool.on("error", () => {});
  const seen = new Set<unknown>();
  let isOver = false;
  const loops = [0, 1, 2].map(async () => {
    while (!isOver) seen.add(await whoAmI(pool));
  });
  let newest = first;
  for (let change = 0; change < 3; change++) {
    await eventually(() => seen.has(newest.username), { every: 5 });
    const next = await logins.make();
    keeper.next(next, END);
    await eventually(() => keeper.usesOf(newest) === 0, { every: 5 });
    expect(keeper.usesOf(next)).toBeGreaterThan(0);
    // a login that is over fails nobody: nothing uses it
    await logins.revoke(newest);
    newest = next;
  }
  await eventually(() => seen.has(newest.username), { every: 5 });
  isOver = true;
  await Promise.all(loops);
  await pool.end();
  expect(seen.size).toBe(4);
  await eventually(() => keeper.usesOf(newest) === 0, { every: 5 });
  expect(keeper.replaced).toEqual([]);
});

test("statements that were given before connect wait for the login", async () => {
  const client = new Client();
  client.setTypeParser(pg.types.builtins.INT4, () => "parsed");
  const answer = client.query("select 1::int as one");
  await client.connect();
  expect((await answer).rows).toEqual([{ one: "parsed" }]);
  await client.end();
});

for (const [name, spoil, code] of [
  ["whose password the server refuses", "password 'another'", "28P01"],
  ["that may not log in", "nologin", "28000"],
] as const)
  test(`a login ${name} is replaced once, and the caller hears nothing of it`, async () => {
    await logins.query(`alter role ${first.username} ${spoil}`);
    const next = await logins.make();
    keeper.onReplace = () => next;
    const client = new Client();
    const early = client.query("select current_user as who");
    await client.connect();
    expect((await early).rows).toEqual([{ who: next.username }]);
    expect(keeper.replaced).toEqual([first]);
    expect([keeper.usesOf(first), keeper.usesOf(next)]).toEqual([0, 1]);
    await client.end();
    await eventually(() => keeper.usesOf(next) === 0, { every: 5 });

    // the source says that it is valid: the server's word stands
    keeper.next(first, END);
    keeper.onReplace = () => first;
    const use = vi.spyOn(keeper, "use");
    await expect(new Client().connect()).rejects.toMatchObject({ code });
    expect(use).toHaveBeenCalledTimes(1);
    // and a second refusal is the caller's
    const second = await logins.make();
    await logins.query(`alter role ${second.username} ${spoil}`);
    keeper.onReplace = () => second;
    await expect(new Client().connect()).rejects.toMatchObject({ code });
    await eventually(() => keeper.usesOf(first) + keeper.usesOf(second) === 0, { every: 5 });
  });

test("other refusals pass unchanged, without a word to the keeper", async () => {
  await expect(new Client({ database: "nowhere" }).connect()).rejects.toMatchObject({
    code: "3D000",
  });
  expect(keeper.replaced).toEqual([]);
});

test("a server that proves itself by another authority gets no password", async () => {
  const Distrusting = leasedClient(keeper, { ca: rootCertificates[0] ?? "" });
  await expect(new Distrusting().connect()).rejects.toMatchObject({
    code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO/),
  });
  // Node's own authorities are not this server's
  await expect(new (leasedClient(keeper))().connect()).rejects.toMatchObject({
    code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO/),
  });
  // the same address by another name
  await expect(new Client({ host: "0.0.0.0" }).connect()).rejects.toMatchObject({
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
  });
});

test("permission denied makes the keeper look at the lease, and the statement is not repeated", async () => {
  const client = new Client();
  client.on("error", () => {});
  await client.connect();
  await expect(client.query("select * from pg_authid")).rejects.toMatchObject({ code: "42501" });
  expect(keeper.replaced).toEqual([first]);
  await expect(client.query("select * from nothing")).rejects.toMatchObject({ code: "42P01" });
  expect(keeper.replaced).toEqual([first]);
  await client.end();
});

test("a keeper without a login fails connect and the statements that wait for it", async () => {
  keeper.current = () => Promise.reject(new Error("limit reached"));
  const client = new Client();
  const waiting = client.query("select 1").catch((error: Error) => error.message);
  await expect(client.connect()).rejects.toThrow("limit reached");
  expect(await waiting).toBe("limit reached");
  const pool = new pg.Pool({ Client });
  await expect(pool.query("select 1")).rejects.toThrow("limit reached");
  expect(pool.totalCount).toBe(0);
});

test("nobody waits for a login for longer than the pool or the client says, nor after end", async () => {
  const signals: AbortSignal[] = [];
  keeper.current = (signal) =>
    new Promise((_, reject) => {
      if (signal === undefined) return;
      signals.push(signal);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const pool = new pg.Pool({ Client, connectionTimeoutMillis: 20 });
  await expect(pool.query("select 1")).rejects.toThrow("connection timeout");
  const alone = new Client({ connectionTimeoutMillis: 20 });
  await expect(alone.connect()).rejects.toThrow("timeout expired");
  const ended = new Client();
  const connecting = ended.connect();
  await ended.end();
  await expect(connecting).rejects.toThrow("Connection terminated");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
});

test("the time for a connection counts both logins and the keeper between them", async () => {
  const silent = await new Promise<Server>((resolve) => {
    const server = createServer(() => {}).listen(0, "127.0.0.1", () => resolve(server));
  });
  const address = silent.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const client = new Client({ connectionTimeoutMillis: 30, ...(port !== undefined && { port }) });
  await expect(client.connect()).rejects.toThrow("timeout expired");
  await eventually(() => keeper.usesOf(first) === 0, { every: 5 });
  silent.close();
});

test("a session that the server ends is an error of the pool, and its lease is no longer used", async () => {
  const pool = new pg.Pool({ Client });
  const errors: unknown[] = [];
  pool.on("error", ({ message }) => errors.push(message));
  await whoAmI(pool);
  expect(keeper.usesOf(first)).toBe(1);
  await logins.revoke(first);
  await eventually(() => keeper.usesOf(first) === 0, { every: 5 });
  expect(errors[0]).toContain("terminating connection");
  keeper.next(await logins.make(), END);
  expect(await whoAmI(pool)).not.toBe(first.username);
  await pool.end();
});

test("host, port and database of the configuration stand above the lease's", async () => {
  const lying = { ...first, host: "nowhere.invalid", port: 1, dbname: "nowhere" };
  const Reader = leasedClient(new FakeKeeper(lying), { ca: cluster.ca });
  const { host, port } = cluster;
  const client = new Reader({ host, port, database: "orders" });
  await client.connect();
  expect(await whoAmI(client)).toBe(first.username);
  await client.end();
});

test.each([
  ["connectionString", { connectionString: "postgres://me:secret@host/orders" }],
  ["user", { user: "me" }],
  ["password", { password: "secret" }],
  ["ssl", { ssl: false }],
])("%s in a configuration is refused in words, without its value", (key, config) => {
  expect(() => new Client(config)).toThrow(
    `a leased client takes user, password and TLS from its lease; leave ${key} out of its options`,
  );
});

test("a lease of a server without TLS is used without TLS, and only such a one", async () => {
  const plain: Login = { ...first, tls: "plaintext", password: new Secret("wrong") };
  const Plain = leasedClient(new FakeKeeper(plain), { ca: cluster.ca });
  // this server insists on TLS
  await expect(new Plain().connect()).rejects.toMatchObject({ code: "28000" });
});
