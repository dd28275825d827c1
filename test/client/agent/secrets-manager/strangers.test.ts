import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  PASSWORD,
  PORT_TOKEN,
  type ServedSecrets,
  servedSecrets,
} from "../../../support/secrets-port.ts";

let guarded: ServedSecrets;
let open: ServedSecrets;
beforeAll(async () => {
  guarded = await servedSecrets();
  open = await servedSecrets({ isPrivate: true });
});
afterAll(async () => {
  await guarded[Symbol.asyncDispose]();
  await open[Symbol.asyncDispose]();
});

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function send(to: ServedSecrets, { method = "GET", path, headers = {}, body = "" }: Sent) {
  const { port } = to.port;
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let text = JSON.stringify(response.headers);
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const target = { "x-amz-target": "secretsmanager.GetSecretValue" };
const token = { "x-aws-parameters-secrets-token": PORT_TOKEN };
const asked = JSON.stringify({ SecretId: "orders-db" });
const sdk = (path: string, headers: Sent["headers"] = {}): Sent => ({
  method: "POST",
  path,
  headers: { ...target, ...headers },
  body: asked,
});
const query = "/secretsmanager/get?secretId=orders-db";

/** Nothing was taken for it, and nothing told that must not be. */
async function expectRefused(to: ServedSecrets, sent: Sent, status: number | RegExp) {
  const [taken, events] = [to.taken(), to.events.length];
  const answer = await send(to, sent);
  expect(String(answer.status)).toMatch(typeof status === "number" ? String(status) : status);
  expect(to.taken()).toBe(taken);
  const told = `${answer.text}${JSON.stringify(to.events.slice(events))}`;
  for (const secret of [PORT_TOKEN, PASSWORD, "mf_1"]) expect(told).not.toContain(secret);
}

test.each<[string, Sent]>([
  ["no token", sdk("/")],
  ["another token of the same length", sdk(`/${"x".repeat(PORT_TOKEN.length)}`)],
  ["half of the token", sdk(`/${PORT_TOKEN.slice(0, -1)}`)],
  ["the token and more", sdk(`/${PORT_TOKEN}x`)],
  ["the token in a longer path", sdk(`/${PORT_TOKEN}/x`)],
  ["the token's other case", sdk(`/${PORT_TOKEN.toUpperCase()}`)],
  ["another token in the header", sdk("/", { "x-aws-parameters-secrets-token": "x" })],
  ["a GET without a token", { path: query }],
  ["a GET with the token in its path", { path: `/${PORT_TOKEN}${query}` }],
  ["a GET with the token as a parameter", { path: `${query}&token=${PORT_TOKEN}` }],
  ["a GET by path", { path: "/v1/orders-db" }],
  ["a foreign Host", sdk(`/${PORT_TOKEN}`, { host: "evil.example" })],
  ["a foreign Host, and a GET", { path: query, headers: { ...token, host: "evil.example:80" } }],
  ["an IPv6 Host", { path: query, headers: { ...token, host: "[::1]" } }],
  ["an Origin", sdk(`/${PORT_TOKEN}`, { origin: "http://localhost" })],
  ["a forwarded request", { path: query, headers: { ...token, "x-forwarded-for": "10.0.0.1" } }],
])("%s: 403, and nothing is taken for it", async (_, sent) => {
  await expectRefused(guarded, sent, 403);
});

test.each<[string, Sent, number]>([
  ["no operation", { ...sdk("/"), headers: {} }, 400],
  ["an unknown one", sdk("/", { "x-amz-target": "secretsmanager.PutSecretValue" }), 400],
  ["an object's own", sdk("/", { "x-amz-target": "secretsmanager.constructor" }), 400],
  ["a page's", sdk("/", { origin: "null" }), 403],
  ["a foreign Host", sdk("/", { host: "rebound.example" }), 403],
  ["a path that may be a token", sdk("/x"), 403],
  ["a GET", { path: query }, 403],
])("a private port without a token: %s is refused all the same", async (_, sent, status) => {
  await expectRefused(open, sent, status);
});

test("a private port answers SDKs without a token, and GETs with it", async () => {
  expect((await send(open, sdk("/"))).text).toContain("mf_1");
  expect((await send(open, { path: query, headers: token })).text).toContain("mf_1");
});

test("a GET has the forms of the Secrets Manager Agent", async () => {
  for (const path of [query, `${query}&versionStage=AWSCURRENT&refreshNow=true`, "/v1/orders-db"]) {
    const { status, text } = await send(guarded, { path, headers: token });
    expect(status).toBe(200);
    expect(text).toMatch(/"CreatedDate":"\d{10}(\.\d+)?"/);
    expect(text).toContain("mf_1");
  }
  expect(await send(guarded, { path: "/ping" })).toMatchObject({
    status: 200,
    text: expect.stringMatching(/healthy$/),
  });
  expect((await send(guarded, sdk("/", token))).status).toBe(200);
});

test.each<[string, Sent, number]>([
  ["a name with ..", { path: "/v1/../orders-db" }, 400],
  ["an encoded one", { path: "/v1/%2e%2e%2Forders-db" }, 400],
  ["a NUL", { path: "/v1/orders-db%00" }, 400],
  ["no UTF-8", { path: "/v1/%ff" }, 400],
  ["no name", { path: "/secretsmanager/get" }, 400],
  ["an unknown parameter", { path: `${query}&secret=1` }, 400],
  ["another path", { path: "/secretsmanager/get/" }, 404],
  ["an absolute URL", { path: `http://evil.example${query}` }, 404],
  ["another method", { path: query, method: "PUT" }, 405],
  ["a name of 5,000 letters", { path: `/v1/${"x".repeat(5_000)}` }, 400],
  ["headers of 20 KB", { path: query, headers: { x: "x".repeat(20_000) } }, 431],
  ["a body of 1 MB", { ...sdk("/"), body: `"${"x".repeat(1_000_000)}"` }, 413],
  ["a body that is no JSON", { ...sdk("/"), body: `{"SecretId":` }, 400],
  ["a list", { ...sdk("/"), body: "[]" }, 400],
  ["__proto__", { ...sdk("/"), body: `{"__proto__":{"SecretId":"orders-db"}}` }, 400],
  ["a name that is a number", { ...sdk("/"), body: `{"SecretId":1}` }, 400],
  ["an object's own name", { ...sdk("/"), body: `{"SecretId":"__proto__"}` }, 400],
])("with the token, %s: refused", async (_, sent, status) => {
  const headers = { ...token, ...sent.headers };
  await expectRefused(guarded, { ...sent, headers }, status).catch((error: unknown) => {
    // the server may close while a large body is on its way
    const isClosed = ["ECONNRESET", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (status !== 413 || !isClosed) throw error;
  });
});

const anyText = fc.string({ unit: "binary-ascii", maxLength: 60 });
const name = fc.oneof(anyText, fc.constantFrom("orders-db", "reports", "..", "%", "null"));
const anyRequest = fc.record({
  method: fc.constantFrom(
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "CONNECT",
    "TRACE",
    "",
  ),
  path: fc.oneof(
    name.map((each) => `/${encodeURIComponent(each)}`),
    name.map((each) => `/v1/${each}`),
    name.map((each) => `/secretsmanager/get?secretId=${each}`),
    fc.constantFrom("/", "*", "//", `/${PORT_TOKEN.slice(1)}`, "http://localhost/ping"),
  ),
  host: fc.constantFrom("localhost", "127.0.0.1", "[::1]", "evil.example", "127.1", "0", ""),
  headers: fc.array(
    fc.oneof(
      fc.constantFrom(
        "X-Amz-Target: secretsmanager.GetSecretValue",
        "Origin: null",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
        "Expect: 100-continue",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "X-Aws-Parameters-Secrets-Token:",
      ),
      fc.tuple(anyText, anyText).map(([key, value]) => `${key}: ${value}`),
    ),
    { maxLength: 4 },
  ),
  body: fc.oneof(fc.constant(asked), fc.json({ maxDepth: 2 }), anyText),
});

/** Send bytes, say that there are no more, and read until the server closes. */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  let read = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    read += chunk;
  });
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await once(socket, "connect");
  socket.end(text);
  await closed;
  return read;
}

test("whatever a stranger sends: no secret, nothing taken, the connection closes", async () => {
  const { port } = guarded.port;
  const [taken, events] = [guarded.taken(), guarded.events.length];
  await fc.assert(
    fc.asyncProperty(fc.array(anyRequest, { minLength: 1, maxLength: 3 }), async (requests) => {
      const text = requests
        .map(
          ({ method, path, host, headers, body }) =>
            `${[`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...headers].join("\r\n")}\r\n\r\n${body}`,
        )
        .join("");
      const read = await sendRaw(port, text);
      for (const secret of [PORT_TOKEN, PASSWORD, "mf_1"]) expect(read).not.toContain(secret);
      expect(read).not.toMatch(/^HTTP\/1\.1 5/m);
    }),
    { numRuns: 100 },
  );
  const told = JSON.stringify(guarded.events.slice(events));
  for (const secret of [PORT_TOKEN, PASSWORD]) expect(told).not.toContain(secret);
  expect(guarded.taken()).toBe(taken);
  expect((await send(guarded, sdk(`/${PORT_TOKEN}`))).status).toBe(200);
});
