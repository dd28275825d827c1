import { once } from "node:events";
import { connect as connectTo, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { METRIC_NAMESPACE, metricDimensions } from "../../core/metric.ts";
import { countExhaustion } from "../../lambda/handlers/count-exhaustion.ts";
import { rotationServers } from "../../lambda/postgres/rotation/servers.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { backdate, firstRow, leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { type Issuer, issuerOn, logIn, sqlStateFrom } from "../support/leases.ts";
import { metricsInLine } from "../support/named-metrics.ts";
import { provisioned, type TestDatabase } from "../support/provisioned.ts";
import { printed } from "../support/runbooks.ts";

const READER = "user-service--readonly";
const MAX_CONNECTIONS = 20;

let own: OwnServer;
let database: TestDatabase;
let instance: Issuer;
/** Opened while all was well, as a superuser. */
let dba: pg.Client;
let ends: (() => void)[] = [];

/** A server with little room, so that it is soon full. */
beforeAll(async () => {
  own = await startCluster([
    `max_connections=${MAX_CONNECTIONS}`,
    "max_locks_per_transaction=10",
    "max_wal_senders=0",
    "max_worker_processes=0",
    "max_prepared_transactions=2",
  ]);
  database = await provisioned({ cluster: own.cluster });
});
afterAll(() => own.server.stop());

beforeEach(async () => {
  instance = issuerOn(database);
  dba = await opened(own.server.superuser(database.database));
  ends = [];
});
afterEach(async () => {
  for (const end of ends) end();
  await dba.end();
  await instance.close();
});

async function opened(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  await client.connect();
  ends.push(() => void client.end().catch(() => {}));
  return client;
}

/** Run a printed block statement by statement, as psql does. @returns the rows of each. */
async function follow(client: pg.Client, sql: string): Promise<Record<string, unknown>[][]> {
  const answers: Record<string, unknown>[][] = [];
  for (const statement of sql.split(/;\s*$/m).filter((each) => each.trim() !== ""))
    answers.push((await client.query(statement)).rows);
  return answers;
}

/** The metrics that functions of the database write while something is done, and how that ends. */
async function counted(work: () => Promise<unknown>): Promise<readonly [string[], unknown]> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  const end = countExhaustion("orders");
  try {
    const outcome = await work().then(
      () => "fine",
      (error: Error) => error.name,
    );
    const metrics = lines.flatMap(metricsInLine);
    for (const { namespace, dimensions } of metrics)
      expect([namespace, dimensions]).toEqual([METRIC_NAMESPACE, metricDimensions("orders")]);
    return [metrics.map(({ name }) => name), outcome];
  } finally {
    end();
    write.mockRestore();
  }
}

const swept = () => sweep(instance.deps, { actor: "sweep", mayContinue: () => true });
const revoke = ({ leaseId }: Credential) => instance.ask(READER, { action: "revoke", leaseId });

/** Whatever a function does that needs the server, each with what it counted and how it ended. */
async function everyFunction(lease: Credential): Promise<unknown[]> {
  const { host, port, username, password, ssl } = database.admin();
  const rotator = rotationServers(() => ssl);
  const works = [
    () => instance.issue(),
    () => revoke(lease),
    swept,
    () => database.converge(),
    () =>
      rotator.logIn({
        host,
        port,
        username,
        password,
        dbname: database.database,
        ofApplication: false,
      }),
  ];
  const seen: unknown[] = [];
  for (const work of works) seen.push(await counted(work));
  return seen;
}

const refusedWith = (metric: string) => Array(5).fill([[metric], "DatabaseUnavailableError"]);

describe("C18: one session that takes every lock of the server", () => {
  const PAGE = "server-out-of-memory";
  const LOOK = printed(PAGE, "pg_stat_clear_snapshot");
  let lease: Credential;
  let evil: pg.Client;

  const fill = () =>
    sqlStateFrom(evil.query("select count(pg_advisory_lock(n)) from generate_series(1, 100000) n"));

  beforeEach(async () => {
    lease = await instance.issue();
    evil = await logIn(database, lease);
    ends.push(() => void evil.end().catch(() => {}));
  });

  /** All is as it was: what was due is ended, what was hostile too, and nothing is counted. */
  async function isOver(): Promise<void> {
    await eventually(() => instance.issue());
    expect(await counted(() => revoke(lease))).toEqual([[], "fine"]);
    const [metrics] = await counted(async () => expect(await swept()).toMatchObject({ left: 0 }));
    expect(metrics).toEqual([]);
  }

  test("is counted by every function, whose sweeps fail, and ended from a transaction that was open before", async () => {
    const due = await instance.issue();
    const oid = await oidOf(database, due.username);
    await backdate(database, due.username);
    const { masterUsername: user, masterPassword: password } = own.cluster;
    const watch = await opened({ ...own.server.superuser(database.database), user, password });
    await follow(watch, printed(PAGE, "BEGIN"));
    const { backend_xmin: horizon } = await firstRow(
      database,
      "select backend_xmin from pg_stat_activity where state = 'idle in transaction'",
    );
    expect(horizon).toBeNull();
    expect(await fill()).toBe("53200");
    expect(await everyFunction(lease)).toEqual(refusedWith("ServerOutOfMemory"));
    expect(await sqlStateFrom(opened(own.server.superuser()))).toBe("53200");
    const [, [most] = []] = await follow(watch, LOOK);
    expect(most).toMatchObject({ usename: lease.username, client_addr: "127.0.0.1" });
    expect(await fill()).toBe("53200");
    await follow(watch, printed(PAGE, "terminate").replace("4711", String(most?.pid)));
    await isOver();
    expect(await leftOf(database, due, oid)).toEqual(NOTHING);
  });

  test("is ended on the server's machine, by its number from a superuser's session", async () => {
    expect(await fill()).toBe("53200");
    expect(await sqlStateFrom(dba.query("select from pg_stat_activity"))).toBe("53200");
    const [[most] = []] = await follow(dba, printed(PAGE, "SELECT pid, count"));
    process.kill(Number(most?.pid), "SIGTERM");
    await isOver();
  });

  test("is ended by a restart, whoever has no session", async () => {
    expect(await fill()).toBe("53200");
    await own.server.shutDown();
    await own.server.restart();
    dba = await opened(own.server.superuser(database.database));
    await isOver();
  });

  test("C24: that leaves them to a prepared transaction is told by a row without a pid", async () => {
    const watch = await opened(own.server.superuser(database.database));
    await follow(watch, printed(PAGE, "BEGIN"));
    await evil.query(
      "begin; select count(pg_advisory_xact_lock(-n)) from generate_series(1, 250) n",
    );
    await evil.query("prepare transaction 'its gid'");
    expect(await fill()).toBe("53200");
    const [, holders] = await follow(watch, LOOK);
    expect(holders).toContainEqual(expect.objectContaining({ pid: null, usename: null }));
    expect(await follow(watch, printed(PAGE, "pg_prepared_xacts"))).toEqual([
      [{ gid: "its gid", owner: lease.username, database: database.database }],
    ]);
    await follow(dba, printed(PAGE, "ROLLBACK PREPARED"));
    await evil.end();
    await isOver();
  });
});

describe("C23: whoever takes every connection of the server", () => {
  const PAGE = "server-out-of-connections";

  beforeEach(() => instance.maintenance.close());

  test("as a lease is counted by every function, seen, and ended by its name", async () => {
    const lease = await instance.issue();
    await instance.maintenance.close();
    for (let code: unknown; code !== "53300"; ) code = await sqlStateFrom(logIn(database, lease));
    expect(await everyFunction(lease)).toEqual(refusedWith("ServerOutOfConnections"));
    const late = await opened(own.server.superuser(database.database));
    const [[most] = []] = await follow(late, printed(PAGE, "max_connections"));
    expect(most).toMatchObject({ usename: lease.username, state: "idle" });
    const name = "mf_qdoi_readonly_user-service_mzxw6ytbahabcdefghijkl";
    await follow(late, printed(PAGE, name).replace(name, lease.username));
    expect(await counted(() => eventually(() => revoke(lease)))).toEqual([[], "fine"]);
    expect(await swept()).toMatchObject({ left: 0 });
  });

  /** A connection that is opened and says nothing. */
  function stalled(): Promise<Socket> {
    const { host, port } = own.cluster;
    return new Promise((resolve) => {
      const socket = connectTo(port, host, () => resolve(socket));
      socket.on("error", () => {});
      ends.push(() => socket.destroy());
    });
  }

  /** Twice as many as may log in are let wait. */
  const stall = (): Promise<Socket[]> =>
    Promise.all(Array.from({ length: 3 * MAX_CONNECTIONS }, stalled));

  /** A login that is begun, over TLS, and goes no further than the server's question. */
  async function begun(username: string): Promise<void> {
    const socket = await stalled();
    socket.write(Buffer.from("0000000804d2162f", "hex")); // SSLRequest
    await once(socket, "data");
    const tls = connectTls({ socket, rejectUnauthorized: false });
    tls.on("error", () => {});
    const body = Buffer.from(`\0\x03\0\0user\0${username}\0database\0${database.database}\0\0`);
    const length = Buffer.alloc(4);
    length.writeInt32BE(length.length + body.length);
    tls.write(Buffer.concat([length, body]));
    await once(tls, "data");
  }

  test("without logging in is counted, is in no list, and has five seconds when the server says so", async () => {
    const lease = await instance.issue();
    await instance.maintenance.close();
    const first = await stall();
    expect(await everyFunction(lease)).toEqual(refusedWith("ServerOutOfConnections"));
    expect(await sqlStateFrom(opened(own.server.superuser()))).toBe("53300");
    const [listed = []] = await follow(dba, printed(PAGE, "max_connections"));
    expect(listed.length).toBeLessThan(4);
    await follow(dba, printed(PAGE, "authentication_timeout"));
    for (const socket of first) socket.destroy();
    await eventually(() => instance.issue());
    await instance.maintenance.close();
    const began = performance.now();
    await stall();
    await expect(instance.issue()).rejects.toMatchObject({ name: "DatabaseUnavailableError" });
    await eventually(() => swept());
    expect(performance.now() - began).toBeGreaterThan(4_000);
  });

  test("by logins that are begun is counted, and from 18 on they are listed and ended", async () => {
    const { username } = await instance.issue();
    await instance.maintenance.close();
    for (let n = 0; n < MAX_CONNECTIONS; n++) await begun(username);
    expect(await counted(() => instance.issue())).toEqual([
      ["ServerOutOfConnections"],
      "DatabaseUnavailableError",
    ]);
    const ended = await follow(dba, printed(PAGE, "WHERE state = 'starting'"));
    const { rows } = await dba.query("show server_version_num");
    const listed = rows[0].server_version_num < 180_000 ? 0 : MAX_CONNECTIONS - 2;
    expect(ended[0]?.length).toBeGreaterThanOrEqual(listed);
    // before, they are not listed, and have the five seconds
    await eventually(() => instance.issue());
  });
});
