import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type GuardedRequest,
  type GuardedServer,
  startGuardedServer,
} from "../../../client/loopback/guarded-server.ts";
import { type Duration, milliseconds, seconds } from "../../../core/time.ts";
import { eventually } from "../../support/eventually.ts";

let server: GuardedServer;
const answered: GuardedRequest[] = [];
/** Ends the waits of connections that live too long. */
const late: (() => void)[] = [];
let longest: Duration | undefined;
let answerBody = "fine";

beforeAll(async () => {
  server = await startGuardedServer({
    port: 0,
    answer: (request) => {
      answered.push(request);
      return { status: 200, contentType: "text/plain", body: answerBody };
    },
    refuse: (refusal) => ({ status: 403, contentType: "text/plain", body: refusal }),
    longestAnswer: seconds(10),
    mostConnections: 8,
    largestBody: 1_000,
    time: {
      now: () => 0 as never,
      monotonic: () => milliseconds(0),
      wait: (length, signal) =>
        new Promise((resolve) => {
          longest = length;
          late.push(resolve);
          signal?.addEventListener("abort", () => resolve());
        }),
    },
  });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  answered.length = 0;
  answerBody = "fine";
});

/** What the server sends until it closes. */
async function talk(
  text: string,
  then?: (socket: Socket) => void,
  { port } = server,
): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let read = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    read += chunk;
  });
  socket.on("error", () => {}); // a reset ends it as well
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.write(text);
  then?.(socket);
  await closed;
  return read;
}

const head = (lines: readonly string[]): string => `${lines.join("\r\n")}\r\n\r\n`;
const asked = (...headers: string[]): string =>
  head(["POST /x HTTP/1.1", `Host: 127.0.0.1:${server.port}`, ...headers]);

test("a request is answered once, and its connection is closed", async () => {
  const read = await talk(`${asked("Content-Length: 4", "Connection: keep-alive")}body`);
  expect(read).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\nConnection: close\r\n[\s\S]*\r\n\r\nfine$/i,
  );
  expect(answered.map(({ method, url, body }) => [method, url, body])).toEqual([
    ["POST", "/x", "body"],
  ]);
});

test.each([
  ["two hosts", ["GET / HTTP/1.1", "Host: localhost", "Host: evil.example"], "host"],
  ["no host", ["GET / HTTP/1.0"], "host"],
  ["a host that begins like ours", ["GET / HTTP/1.1", "Host: 127.0.0.1.evil.example"], "host"],
  ["another port", ["GET / HTTP/1.1", "Host: localhost:1"], "host"],
  ["an empty origin", ["GET / HTTP/1.1", "Host: localhost", "Origin: null"], "origin"],
])("%s: refused before anything is done", async (_, lines, refusal) => {
  expect(await talk(head(lines))).toMatch(new RegExp(`^HTTP/1.1 403 [\\s\\S]*\\r\\n${refusal}$`));
  expect(answered).toEqual([]);
});

test("a body that is too large is refused, however it is announced", async () => {
  const body = "x".repeat(1_001);
  expect(await talk(`${asked("Content-Length: 1001")}${body}`)).toMatch(/size$/);
  const chunked = `${asked("Transfer-Encoding: chunked")}3e9\r\n${body}\r\n`;
  expect(await talk(chunked)).toMatch(/size$/);
  expect(answered).toEqual([]);
});

test("an endless body is not read: the connection ends", async () => {
  let sent = 0;
  await talk(asked("Transfer-Encoding: chunked"), (socket) => {
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    const send = (): void => {
      while (!socket.destroyed && sent < 500_000_000) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once("drain", send);
      }
    };
    send();
  });
  expect(sent).toBeLessThan(50_000_000);
  expect(answered).toEqual([]);
});

test("of requests in a row, one is answered", async () => {
  const read = await talk(asked("Content-Length: 0").repeat(3));
  expect(answered).toHaveLength(1);
  expect(read.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
});

test.each([
  ["CONNECT", () => head([`CONNECT 127.0.0.1:5432 HTTP/1.1`, `Host: 127.0.0.1:${server.port}`])],
  ["no HTTP", () => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ["headers of 9 KB", () => asked(`X: ${"x".repeat(9_000)}`)],
])("%s: closed, and the server lives", async (_, text) => {
  expect(await talk(text())).not.toMatch(/HTTP\/1\.1 200/);
  expect(answered).toEqual([]);
  expect(await talk(asked("Content-Length: 0"))).toMatch(/fine$/);
});

test("an upgrade is not made: it is a request like others", async () => {
  const read = await talk(asked("Connection: upgrade", "Upgrade: websocket", "Content-Length: 0"));
  expect(read).toMatch(/^HTTP\/1\.1 200/);
});

test("who sends nothing, or reads nothing, is cut off when time is up", async () => {
  late.length = 0;
  const silent = talk("");
  answerBody = "x".repeat(20_000_000);
  const reader = connect({ port: server.port, host: "127.0.0.1" });
  reader.on("error", () => {});
  reader.pause();
  await once(reader, "connect");
  reader.write(asked("Content-Length: 0"));
  await eventually(() => late.length === 2, { every: 5 });
  await eventually(() => answered.length === 1, { every: 5 });
  expect(longest).toBe(seconds(20));
  for (const end of late) end();
  expect(await silent).toBe("");
  await eventually(() => answered[0]?.signal.aborted, { every: 5 });
  reader.destroy();
});

test.each([
  ["a line", (port: number) => `POST / HTTP/1.1\r\nHost: localhost:${port}\r\n`],
  ["a body", () => "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"],
])("who does not send the end of %s in time is closed", async (_, textFor) => {
  const answer = { status: 200, contentType: "text/plain", body: "fine" };
  await using impatient = await startGuardedServer({
    port: 0,
    answer: () => answer,
    refuse: () => answer,
    longestAnswer: seconds(10),
    mostConnections: 8,
    largestBody: 10,
    slowest: milliseconds(50),
  });
  const read = await talk(textFor(impatient.port), undefined, impatient);
  expect(read).toMatch(/^HTTP\/1\.1 408 /);
});

test("more connections than may be are closed, and later ones are answered", async () => {
  const sockets = Array.from({ length: 8 }, () =>
    connect({ port: server.port, host: "127.0.0.1" }),
  );
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  expect(await talk("")).toBe("");
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => talk(asked("Content-Length: 0")), { timeout: 20_000 }).toMatch(/fine$/);
});
