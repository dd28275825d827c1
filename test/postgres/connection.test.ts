import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type pg from "pg";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ConfigError,
  DatabaseUnavailableError,
  StatementRejectedError,
} from "../../core/errors.ts";
import { issuerLoginName } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { seconds } from "../../core/time.ts";
import { connect, type Login } from "../../lambda/postgres/connection/login.ts";
import { Maintenance } from "../../lambda/postgres/connection/maintenance.ts";
import { integer, sql } from "../../lambda/postgres/connection/sql.ts";
import { tlsOptions } from "../../lambda/postgres/connection/tls.ts";
import { firstRow } from "../support/evidence.ts";
import { type Issuer, issuer, issuerOn, logIn } from "../support/leases.ts";
import { runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

const WHO = sql`select pg_catalog.pg_backend_pid() as pid`;

let lease: Issuer & { readonly test: TestDatabase };
beforeAll(async () => {
  lease = await issuer();
});
afterAll(() => lease.close());

/** End the backend of an instance's warm connection, and wait until it is gone. */
async function killWarm({ maintenance }: Issuer): Promise<void> {
  const [{ pid } = {}] = await maintenance.query<{ pid: number }>("who", WHO);
  await firstRow(lease.test, `select pg_terminate_backend(${pid}, 5000)`);
}

/** A source of logins that counts how often the secret was read again. */
function counted(login: (fresh: boolean) => Login | Promise<Login>) {
  const reads = { cached: 0, fresh: 0 };
  return {
    reads,
    source: async ({ fresh }: { readonly fresh: boolean }) => {
      reads[fresh ? "fresh" : "cached"] += 1;
      return login(fresh);
    },
  };
}

/** What pg.Client has, and its types do not say. */
interface HasTimeout {
  readonly connectionParameters: { query_timeout: number };
}

describe("the warm connection", () => {
  test("that was ended between two invocations is opened again, unseen by the caller", async () => {
    for (let round = 0; round < 5; round++) {
      await killWarm(lease);
      const credential = await lease.issue();
      await (await logIn(lease.test, credential)).end();
    }
  });

  test("that was ended and is written to before the end was noticed is opened again", async () => {
    const instance = issuerOn(lease.test);
    const [{ pid } = {}] = await instance.maintenance.query<{ pid: number }>("who", WHO);
    const killed = firstRow(lease.test, `select pg_terminate_backend(${pid}, 5000)`);
    const answers = await Promise.all([instance.issue(), killed]);
    await (await logIn(lease.test, answers[0])).end();
    await instance.close();
  });

  test("is opened once for two callers whose connection died under both", async () => {
    let opened = 0;
    const instance = issuerOn(lease.test, {
      open: (login) => {
        opened += 1;
        return connect(login, TEST_LIMITS);
      },
    });
    const [{ pid } = {}] = await instance.maintenance.query<{ pid: number }>("who", WHO);
    const sleep = sql`select pg_catalog.pg_sleep(
      case when pg_catalog.pg_backend_pid() = ${integer(Number(pid))} then 20 else 0 end)`;
    const both = Promise.all([
      instance.maintenance.query("sleep", sleep),
      instance.maintenance.query("who", WHO),
    ]);
    await firstRow(lease.test, `select pg_terminate_backend(${pid}, 5000)`);
    await both;
    expect(opened).toBe(2);
    await instance.close();
  });

  test("whose write fails with EPIPE is opened again: that is an errno, no SQLSTATE", async () => {
    let broken = true;
    const instance = issuerOn(lease.test, {
      open: async (login) => {
        const client = await connect(login, TEST_LIMITS);
        const query = ((statement: pg.QueryConfig) => {
          if (!broken) return client.query(statement);
          broken = false;
          return Promise.reject(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
        }) as typeof client.query;
        return { query, end: () => client.end() };
      },
    });
    await (await logIn(lease.test, await instance.issue())).end();
    await instance.close();
  });

  test("that is lost under two statements in turn, as by two rotations, is opened a third time", async () => {
    let opened = 0;
    const instance = issuerOn(lease.test, {
      open: async (login) => {
        const client = await connect(login, TEST_LIMITS);
        opened += 1;
        if (opened > 2) return client;
        const query = ((statement: pg.QueryConfig) => {
          // what the driver says is not always the server's 57P01: the socket may be reset first
          client.connection.stream.destroy();
          return client.query(statement);
        }) as typeof client.query;
        return { query, end: () => client.end() };
      },
    });
    await (await logIn(lease.test, await instance.issue())).end();
    expect(opened).toBe(3);
    await instance.close();
  });

  test("on which no answer comes in time is opened once more, and not a third time", async () => {
    let opened = 0;
    const maintenance = new Maintenance(
      () => lease.test.issuerLogin(),
      async (login) => {
        opened += 1;
        const client = await connect(login, TEST_LIMITS);
        // it is waited for the answer, and a busy machine needs longer than that to connect
        (client as unknown as HasTimeout).connectionParameters.query_timeout /= 100;
        return client;
      },
    );
    // the server's own bound is lifted, or it would answer that the statement was cancelled
    const sleep = sql`set statement_timeout = 0; select pg_catalog.pg_sleep(5)`;
    await expect(maintenance.query("sleep", sleep)).rejects.toMatchObject({
      name: "DatabaseUnavailableError",
      message: expect.stringContaining("no answer in time"),
    });
    expect(opened).toBe(2);
    await maintenance.close();
  });

  test.each(["ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EPERM"])(
    "that fails with %s twice is a database to wait for",
    async (code) => {
      const instance = issuerOn(lease.test, {
        open: () => Promise.reject(Object.assign(new Error("secret text"), { code })),
      });
      const failure = await instance.issue().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(DatabaseUnavailableError);
      expect(failure).toMatchObject({ retryable: true, message: expect.stringContaining(code) });
      expect(String(failure)).not.toContain("secret text");
    },
  );

  test("to a server that has become read-only is opened again", async () => {
    let opened = 0;
    const instance = issuerOn(lease.test, {
      open: async (login) => {
        const client = await connect(login, TEST_LIMITS);
        opened += 1;
        if (opened === 1) await client.query("set default_transaction_read_only = on");
        return client;
      },
    });
    await (await logIn(lease.test, await instance.issue())).end();
    expect(opened).toBe(2);
    await instance.close();
  });

  test("to a server that stays read-only is a database to wait for", async () => {
    const instance = issuerOn(lease.test, {
      open: async (login) => {
        const client = await connect(login, TEST_LIMITS);
        await client.query("set default_transaction_read_only = on");
        return client;
      },
    });
    await expect(instance.issue()).rejects.toMatchObject({
      name: "DatabaseUnavailableError",
      message: expect.stringContaining("25006"),
    });
    await instance.close();
  });

  test.each(["25P03", "25P04", "57P05"])("that a timeout ends (%s) is replaced", async (code) => {
    let opened = 0;
    const instance = issuerOn(lease.test, {
      open: async (login) => {
        opened += 1;
        const client = await connect(login, TEST_LIMITS);
        if (opened > 1) return client;
        client.query = async () => {
          throw Object.assign(new Error("ended"), { code });
        };
        return client;
      },
    });
    await instance.issue();
    expect(opened).toBe(2);
    await instance.close();
  });

  test("shows a consumer nothing of the one before: no role, setting, value in a statement, or table", async () => {
    const instance = issuerOn(lease.test);
    const state = sql`select current_user as who, pg_catalog.current_setting('role') as role,
      pg_catalog.current_setting('search_path') as path, pg_catalog.current_setting('lock_timeout') as lock,
      (select pg_catalog.count(*)::int from pg_catalog.pg_prepared_statements
        where statement !~ '^select [*] from [a-z0-9_."]+[(]([$][0-9]+(, )?)*[)]$') as prepared,
      (select pg_catalog.count(*)::int from pg_catalog.pg_locks
        where pid = pg_catalog.pg_backend_pid() and locktype = 'object') as locks,
      pg_catalog.pg_my_temp_schema()::int as temporary`;
    const [clean] = await instance.maintenance.query<Record<string, unknown>>("state", state);
    expect(clean).toMatchObject({ who: issuerLoginName(lease.test.tag, "a"), role: "none" });
    const first = await instance.issue("user-service--readwrite", { idempotencyKey: "mine" });
    const { leaseId } = first;
    await instance.ask("user-service--readwrite", { action: "renew", leaseId });
    await instance.ask("user-service--readwrite", { action: "revoke", leaseId });
    const [left] = await instance.maintenance.query("state", state);
    expect(left).toEqual(clean);
    const second = await instance.issue("reporting--readonly", { idempotencyKey: "mine" });
    expect(second.username).toContain("_readonly_reporting_");
    await instance.close();
  });
});

describe("a refused password", () => {
  test("after a rotation is read again from the secret, exactly once", async () => {
    const { test: database } = await issuer();
    const old = await database.issuerLogin();
    await runAs(database.superuser(), `alter role ${old.username} password 'rotated'`);
    const { reads, source } = counted((fresh) =>
      fresh ? { ...old, password: new Secret("rotated") } : old,
    );
    const instance = issuerOn(database, { login: source });
    await (await logIn(database, await instance.issue())).end();
    await instance.issue();
    expect(reads).toEqual({ cached: 1, fresh: 1 });
    await instance.close();
  });

  test("that stays refused is an error that says so, after one more look at the secret", async () => {
    const login = await lease.test.issuerLogin();
    const { reads, source } = counted(() => ({ ...login, password: new Secret("no-such-word") }));
    const failure = await issuerOn(lease.test, { login: source })
      .issue()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StatementRejectedError);
    expect(failure).toMatchObject({ engineCode: "28P01", step: "connect" });
    expect(reads).toEqual({ cached: 1, fresh: 1 });
  });
});

async function listening(server: Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("a server", () => {
  const to = (login: Login, from: Partial<Login>, limits = TEST_LIMITS) =>
    new Maintenance(
      async () => ({ ...login, ...from }),
      (each) => connect(each, limits),
    ).query("who", WHO);
  const shipped = { region: "", folder: "" };

  test("that is not there is a database to wait for", async () => {
    await expect(to(await lease.test.issuerLogin(), { port: 1 })).rejects.toMatchObject({
      name: "DatabaseUnavailableError",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("that accepts and never answers is given up after the connect timeout", async () => {
    const silent = createServer((socket) => socket.on("error", () => {}));
    const port = await listening(silent);
    const limits = { ...TEST_LIMITS, connect: seconds(1) };
    await expect(to(await lease.test.issuerLogin(), { port }, limits)).rejects.toBeInstanceOf(
      DatabaseUnavailableError,
    );
    silent.close();
  });

  test("whose certificate another authority signed is sent no password, and the remedy is named", async () => {
    const login = await lease.test.issuerLogin();
    const { cert } = await generate([{ name: "commonName", value: "another" }]);
    const ssl = tlsOptions(login.host, { tls: "verify-full", ca: cert }, shipped);
    const failure = await to(login, { ssl }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(String(failure)).toContain("SELF_SIGNED_CERT");
    expect(String(failure)).toMatch(/set .*"ca"/);
  });

  test("whose certificate names another host is sent no password", async () => {
    const login = await lease.test.issuerLogin();
    const { ca } = lease.test.plan;
    const ssl = tlsOptions("db.example.com", { tls: "verify-full", ...(ca && { ca }) }, shipped);
    await expect(to(login, { ssl })).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
    });
  });

  test("that speaks no TLS is told nothing but that TLS is wanted", async () => {
    const heard: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        heard.push(bytes);
        socket.write("N"); // PostgreSQL 55.2.10: not willing to perform SSL
      });
    });
    const port = await listening(plain);
    await expect(to(await lease.test.issuerLogin(), { port })).rejects.toBeInstanceOf(
      DatabaseUnavailableError,
    );
    const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
    expect([...new Set(heard.map((bytes) => bytes.toString("hex")))]).toEqual([
      sslRequest.toString("hex"),
    ]);
    plain.close();
  });

  test("that wants TLS refuses a plaintext connection of ours", async () => {
    await expect(to(await lease.test.issuerLogin(), { ssl: false })).rejects.toMatchObject({
      name: "StatementRejectedError",
      engineCode: "28000",
    });
  });
});
