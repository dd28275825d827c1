import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeServers } from "../../../client/proxy/upstream/servers.ts";
import { cancelRequest, sslRequest, startupPacket } from "../../../client/proxy/wire/messages.ts";
import { systemTime } from "../../../client/time.ts";
import { Secret } from "../../../core/secret.ts";
import { hours, milliseconds, seconds } from "../../../core/time.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { errorIn, proxied, RawClient, typesOf } from "../../support/proxied.ts";

const STARTUP = startupPacket(196_608, [["user", "anybody"]]);

test("a client without password or database is the lease, in the lease's database", async () => {
  await using at = await proxied(await fileCluster());
  const client = await at.client();
  const { rows } = await client.query(`
    select current_user, current_database(), ssl,
      current_setting('application_name') as application
    from pg_stat_ssl where pid = pg_backend_pid()`);
  expect(rows).toEqual([
    {
      current_user: at.first.username,
      current_database: "orders",
      ssl: true,
      application: "test-host",
    },
  ]);
  expect(at.proxy.sessions).toBe(1);
  expect(at.keeper.usesOf(at.first)).toBe(1);
  await client.end();
  await eventually(() => at.proxy.sessions === 0);
  expect(at.keeper.usesOf(at.first)).toBe(0);
});

test("a user in the URL does not matter, a database does, and an application may name itself", async () => {
  await using at = await proxied(await fileCluster());
  const client = await at.client({
    user: "somebody",
    password: "wrong",
    database: "somebody",
    application_name: "reports",
  });
  const { rows } = await client.query(
    "select current_database(), current_setting('application_name')",
  );
  expect(rows).toEqual([{ current_database: "orders", current_setting: "reports" }]);
  await client.end();
  await expect(at.client({ database: "nowhere" })).rejects.toMatchObject({ code: "3D000" });
});

test("requests for encryption and a query are glued to the startup, or come byte by byte", async () => {
  await using at = await proxied(await fileCluster());
  const gss = Buffer.from("0000000804d21630", "hex");
  const query = Buffer.from("Q\0\0\0\x0dselect 1\0", "latin1");
  const glued = Buffer.concat([sslRequest(), gss, STARTUP, query]);
  for (const chunks of [[glued], [...glued].map((byte) => Buffer.from([byte]))]) {
    const socket = connect({ port: at.proxy.port ?? 0, host: "127.0.0.1", noDelay: true });
    const head = Promise.withResolvers<void>();
    let answers = "";
    socket.on("data", function first(chunk) {
      answers += chunk.toString("latin1");
      if (answers.length < 2) return;
      socket.off("data", first);
      socket.pause();
      socket.unshift(Buffer.from(answers.slice(2), "latin1"));
      head.resolve();
    });
    for (const chunk of chunks) {
      socket.write(chunk);
      await new Promise(setImmediate);
    }
    await head.promise;
    expect(answers.slice(0, 2)).toBe("NN");
    const client = new RawClient(socket);
    expect(typesOf(await client.until("Z"))).toMatch(/^RS+KZ$/);
    expect(typesOf(await client.until("Z"))).toBe("TDCZ");
    socket.destroy();
  }
});

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), /^FATAL 08P01: invalid length/],
  ["a TLS hello", Buffer.from("160301020001", "hex"), /^FATAL 08P01: .* does not speak TLS/],
  ["protocol 2.0", startupPacket(2 << 16, []), /^FATAL 0A000: frontend protocol 2\.0/],
  ["protocol 4.0", startupPacket(4 << 16, []), /^FATAL 0A000: frontend protocol 4\.0/],
  ["replication", startupPacket(196_608, [["replication", "1"]]), /^FATAL 0A000: .*replication/],
  [
    "3 MB of random bytes",
    Buffer.concat([Buffer.from("0101", "hex"), randomBytes(3_000_000)]),
    /08P01/,
  ],
])("%s is refused in words, and leaves nothing behind", async (_, bytes, words) => {
  await using at = await proxied(await fileCluster());
  const client = RawClient.connect(at.proxy.port ?? 0);
  client.send(bytes);
  expect(errorIn(await client.closed())).toMatch(words);
  expect(at.proxy.sessions).toBe(0);
  const next = await at.client();
  await next.end();
});

test("a client that says nothing is closed in time", async () => {
  const limits = { startup: milliseconds(50) };
  await using at = await proxied(await fileCluster(), { limits });
  const client = RawClient.connect(at.proxy.port ?? 0);
  client.send(STARTUP.subarray(0, 5));
  expect(await client.closed()).toEqual([]);
});

test("the client of a silent server, or of none, reads so", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await eventually(() => silent.listening);
  const { port } = silent.address() as { port: number };
  const limits = { login: milliseconds(100) };
  const server = { host: "127.0.0.1", port };
  await using at = await proxied(await fileCluster(), { limits, server });
  await expect(at.client()).rejects.toMatchObject({ code: "08001" });
  expect(await at.proxy.ready()).toBe(false);
  silent.close();
  await expect(at.client()).rejects.toMatchObject({
    code: "08001",
    message: expect.stringMatching(/^the Mayfly proxy cannot log in to the server: /),
  });
  expect(at.events.map(({ kind }) => kind)).toContain("login-failed");
});

test("a cancel goes to its own session, also after a change of the lease", async () => {
  await using at = await proxied(await fileCluster());
  const [old, other] = [
    await RawClient.logIn(at.proxy.port ?? 0),
    await RawClient.logIn(at.proxy.port ?? 0),
  ];
  await at.replace(60_000);
  old.query("select pg_sleep(60)");
  other.query("select pg_sleep(60)");
  await eventually(async () => {
    const [row] = await at.admin<{ n: number }>(
      "select count(*)::int n from pg_stat_activity where query like 'select pg_sleep%'",
    );
    return row?.n === 2;
  });
  const cancel = async (key: Buffer): Promise<void> => {
    const client = RawClient.connect(at.proxy.port ?? 0);
    client.send(cancelRequest(key));
    await client.closed();
  };
  await cancel(Buffer.from("00000001000000010000000100000001", "hex"));
  await cancel(old.cancelKey);
  expect(errorIn(await old.until("Z"))).toMatch(/^ERROR 57014/);
  expect(other.isClosed).toBe(false);
  await cancel(other.cancelKey);
  expect(errorIn(await other.until("Z"))).toMatch(/^ERROR 57014/);
  for (const { socket } of [old, other]) socket.destroy();
});

test("a key of nobody, or of a closed session, is not passed on", async () => {
  const cluster = await fileCluster();
  const servers = makeServers({ roots: [cluster.ca], time: systemTime });
  const cancelled: Buffer[] = [];
  const cancel: typeof servers.cancel = async (_, __, key) => {
    cancelled.push(key);
  };
  await using at = await proxied(cluster, { servers: { ...servers, cancel } });
  const closed = await RawClient.logIn(at.proxy.port ?? 0);
  closed.say("X");
  await eventually(() => at.proxy.sessions === 0);
  const open = await RawClient.logIn(at.proxy.port ?? 0);
  for (const key of [randomBytes(8), closed.cancelKey, randomBytes(36), open.cancelKey]) {
    const client = RawClient.connect(at.proxy.port ?? 0);
    client.send(cancelRequest(key));
    await client.closed();
  }
  expect(cancelled).toEqual([open.cancelKey]);
  open.socket.destroy();
});

test.each([
  ["NOLOGIN", (name: string) => `alter role ${name} nologin`, "28000"],
  ["expired", (name: string) => `alter role ${name} valid until '2020-01-01'`, "28P01"],
  ["gone", (name: string) => `drop role ${name}`, "28P01"],
  ["without a password", (name: string) => `alter role ${name} password null`, "28P01"],
])("a lease that is %s is replaced before the client notices", async (_, sql, sqlstate) => {
  await using at = await proxied(await fileCluster());
  const next = await at.newLogin();
  at.keeper.onReplace = () => next;
  await at.admin(sql(at.first.username));
  const client = await at.client();
  const { rows } = await client.query("select current_user");
  expect(rows).toEqual([{ current_user: next.username }]);
  expect(at.keeper.replaced).toEqual([at.first]);
  expect(at.events).toEqual([{ kind: "login-retried", username: at.first.username, sqlstate }]);
  await client.end();
});

test("a lease that is refused twice, or refused for another reason, is told unchanged", async () => {
  await using at = await proxied(await fileCluster());
  await at.admin(`alter role ${at.first.username} connection limit 0`);
  await expect(at.client()).rejects.toMatchObject({
    code: "53300",
    message: `too many connections for role "${at.first.username}"`,
  });
  expect(at.keeper.replaced).toEqual([]);
  await at.admin(`alter role ${at.first.username} nologin`);
  await expect(at.client()).rejects.toMatchObject({ code: "28000" });
  expect(at.keeper.replaced).toEqual([at.first]);
});

test.each([
  ["limit", "53300", "Raise maxLeases"],
  ["denied", "57P03", "Allow this workload's IAM role"],
  ["unavailable", "57P03", "Wait: the proxy tries again"],
])("without a lease (%s) a client reads why, and what to do", async (failure, code, remedy) => {
  await using at = await proxied(await fileCluster());
  at.keeper.current = () => Promise.reject(Object.assign(new Error("no, said AWS"), { failure }));
  await expect(at.client()).rejects.toMatchObject({
    code,
    message: "the Mayfly proxy has no lease: no, said AWS",
    hint: expect.stringContaining(remedy),
  });
  expect(await at.proxy.ready()).toBe(false);
});

test("statements that are refused for want of privileges let the keeper look at the lease, once", async () => {
  await using at = await proxied(await fileCluster());
  const client = await at.client();
  for (let time = 0; time < 3; time++)
    await expect(client.query("create role somebody")).rejects.toMatchObject({ code: "42501" });
  expect(at.keeper.replaced).toEqual([at.first]);
  await client.end();
});

test("one client too many reads 53300, and the others go on", async () => {
  await using at = await proxied(await fileCluster(), { limits: { clients: 2 } });
  const [first, second] = [await at.client(), await at.client()];
  await expect(at.client()).rejects.toMatchObject({
    code: "53300",
    message: "the Mayfly proxy has 2 clients, and takes no more",
  });
  await first.query("select 1");
  await first.end();
  await eventually(() => at.proxy.sessions === 1);
  const third = await at.client();
  await third.end();
  await second.end();
});

test("with a local password, a client must know it, and another proves nothing", async () => {
  const localPassword = new Secret("local-password");
  await using at = await proxied(await fileCluster(), { localPassword });
  const client = await at.client({ user: "whoever", password: "local-password" });
  await client.query("select 1");
  await client.end();
  let logins = 0;
  at.keeper.current = async () => {
    logins += 1;
    return at.first;
  };
  await expect(at.client({ password: "other" })).rejects.toMatchObject({ code: "28P01" });
  const raw = RawClient.connect(at.proxy.port ?? 0);
  raw.send(Buffer.concat([STARTUP, Buffer.from("Q\0\0\0\x0dselect 1\0", "latin1")]));
  expect(errorIn(await raw.closed())).toBe("FATAL 08P01: expected a password, got message 81");
  expect(logins).toBe(0);
});

test("a proxy is ready while a login works, and a probe leaves no session", async () => {
  await using at = await proxied(await fileCluster());
  expect(await Promise.all([at.proxy.ready(), at.proxy.ready()])).toEqual([true, true]);
  const sessions = () =>
    at.admin(`select from pg_stat_activity where usename = '${at.first.username}'`);
  await eventually(async () => (await sessions()).length === 0);
});

test("a Unix socket is a server's folder to any client, and is gone with the proxy", async () => {
  const { path, remove } = tempFolder("proxy-socket");
  const socketFolder = join(path, "s");
  try {
    await using at = await proxied(await fileCluster(), { listen: { socketFolder } });
    const client = await at.client();
    const { rows } = await client.query("select current_user");
    expect(rows).toEqual([{ current_user: at.first.username }]);
    await client.end();
    await at.proxy.close();
    expect(readdirSync(socketFolder)).toEqual([]);
  } finally {
    remove();
  }
});

test("a second proxy on the port says so in a sentence", async () => {
  await using at = await proxied(await fileCluster());
  const { port = 0 } = at.proxy;
  await expect(proxied(at.cluster, { listen: { port } })).rejects.toThrow(/^port \d+ is taken; /);
});

test("a proxy that stops takes nobody more, and waits for its clients", async () => {
  await using at = await proxied(await fileCluster());
  const client = await RawClient.logIn(at.proxy.port ?? 0);
  const closing = at.proxy.close(seconds(30));
  await expect(at.client()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  client.query("select 1");
  expect(typesOf(await client.until("Z"))).toBe("TDCZ");
  client.say("X");
  await closing;
  expect(at.events).toEqual([]);
});

test("a proxy in a hurry waits for nobody any longer", async () => {
  await using at = await proxied(await fileCluster());
  const client = await RawClient.logIn(at.proxy.port ?? 0);
  const hurry = new AbortController();
  const closing = at.proxy.close(hours(1), hurry.signal);
  await expect(at.client()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  hurry.abort();
  expect(errorIn(await client.closed())).toContain("FATAL 57P01");
  await closing;
});

test("who does not leave a proxy that stops is ended with 57P01", async () => {
  await using at = await proxied(await fileCluster());
  const client = await RawClient.logIn(at.proxy.port ?? 0);
  await at.proxy.close();
  expect(errorIn(await client.closed())).toBe(
    "FATAL 57P01: terminating connection: the proxy stops",
  );
  expect(at.events).toMatchObject([{ kind: "session-ended", reason: "closing", state: "idle" }]);
});
