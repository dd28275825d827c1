import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ClientSide } from "../../../../client/proxy/session/client-side.ts";
import { ServerSide } from "../../../../client/proxy/session/server-side.ts";
import { Session, type SessionEvents } from "../../../../client/proxy/session/session.ts";
import { message } from "../../../../client/proxy/wire/messages.ts";
import type { ClientTime } from "../../../../client/time.ts";
import { Secret } from "../../../../core/secret.ts";
import { type Duration, type Instant, milliseconds } from "../../../../core/time.ts";
import { eventually } from "../../../support/eventually.ts";

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Two ends of one connection. */
async function socketPair(): Promise<readonly [near: Socket, far: Socket]> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const far = connect({ port, host: "127.0.0.1" });
  const [near] = (await once(listener, "connection")) as [Socket];
  listener.close();
  open.push(near, far);
  return [near, far];
}

/** A time that stands still, and whose waits the test ends. */
function stoppedTime(): ClientTime & { readonly waits: { length: Duration; end: () => void }[] } {
  const waits: { length: Duration; end: () => void }[] = [];
  return {
    waits,
    now: () => 0 as Instant,
    monotonic: () => milliseconds(0),
    wait: (length) => new Promise((resolve) => waits.push({ length, end: resolve })),
  };
}

const READY = message(0x5a, Buffer.from("I"));
const QUERY = message(0x51, Buffer.from("select 1\0"));

/** A session whose client and server are the test. */
async function session() {
  const time = stoppedTime();
  const told: string[] = [];
  const events: SessionEvents = {
    closed: () => told.push("closed"),
    ended: (_, reason, state) => told.push(`ended for ${reason}, ${state}`),
    serverLost: (_, why) => told.push(`lost: ${why}`),
    cancelled: () => told.push("cancelled"),
    unprivileged: () => told.push("unprivileged"),
  };
  const [[clientNear, client], [serverNear, server]] = [await socketPair(), await socketPair()];
  const side = new ServerSide({
    opened: { socket: serverNear, greeting: READY, rest: Buffer.alloc(0), cancelKey: undefined },
    server: { host: "127.0.0.1", port: 1 },
    login: {
      id: "lease",
      username: "lease",
      password: new Secret("p"),
      host: "127.0.0.1",
      port: 1,
      dbname: "orders",
      tls: "verify-full",
    },
    servers: {
      logIn: () => Promise.reject(new Error("one is enough")),
      cancel: async () => {},
      probe: async () => true,
    },
    time,
  });
  const made = new Session(new ClientSide(clientNear, "app", time), side, events, time);
  const read = { client: "", server: "" };
  client.on("data", (chunk) => {
    read.client += chunk.toString("latin1");
  });
  server.on("data", (chunk) => {
    read.server += chunk.toString("latin1");
  });
  made.start(READY, Buffer.alloc(0), Buffer.alloc(0));
  return { session: made, client, server, time, told, read };
}

test("the end waits behind an answer, and a statement that comes then has not run", async () => {
  const at = await session();
  at.client.write(QUERY);
  await eventually(() => at.read.server.includes("select 1"));
  at.session.endWhenIdle("between-transactions");
  expect(at.told).toEqual([]);
  at.server.write(READY);
  await eventually(() => at.time.waits.length > 0);
  expect(at.time.waits.map(({ length }) => length)).toEqual([25]);
  await eventually(() => at.read.client.length === 2 * READY.length);
  at.client.write(QUERY);
  at.time.waits[0]?.end();
  await eventually(() => at.read.client.includes("C57P01"));
  await eventually(() => at.read.server.endsWith("X\0\0\0\x04"));
  expect(at.read.server.split("select 1")).toHaveLength(2);
  expect(at.told[0]).toBe("ended for between-transactions, idle");
});

test("a notice that is half sent when the session ends comes whole before the end", async () => {
  const at = await session();
  at.session.endWhenIdle("quiet");
  await eventually(() => at.time.waits.length > 0);
  const notice = message(0x4e, Buffer.from("a notice of the server\0"));
  at.server.write(notice.subarray(0, 10));
  await eventually(() => at.read.client.length === READY.length + 10);
  at.time.waits[0]?.end();
  await new Promise(setImmediate);
  expect(at.told).toEqual([]);
  at.server.write(notice.subarray(10));
  await eventually(() => at.read.client.includes("C57P01"));
  expect(at.read.client).toMatch(/a notice of the server\0E/);
});

test("a server that goes away between messages is told in words, in a message without", async () => {
  for (const [begun, words] of [
    [Buffer.alloc(0), /C08006/],
    [message(0x44, Buffer.alloc(100)).subarray(0, 50), /^(?!.*08006)/s],
  ] as const) {
    const at = await session();
    at.server.write(begun);
    await eventually(() => at.read.client.length === READY.length + begun.length);
    at.server.resetAndDestroy();
    await once(at.client, "close");
    expect(at.read.client).toMatch(words);
    expect(at.told[0]).toBe("lost: ECONNRESET");
  }
});
