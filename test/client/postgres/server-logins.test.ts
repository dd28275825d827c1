import { randomBytes } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ServerRefusal,
  type ServerRequest,
  type ServerSession,
  type Servers,
} from "../../../client/proxy/server-login.ts";
import { ChunkReader } from "../../../client/proxy/upstream/chunk-reader.ts";
import { openConnection } from "../../../client/proxy/upstream/server-connection.ts";
import { makeServers } from "../../../client/proxy/upstream/servers.ts";
import { errorFields } from "../../../client/proxy/wire/error-fields.ts";
import { type Message, MessageReader } from "../../../client/proxy/wire/message-reader.ts";
import { FROM_CLIENT, FROM_SERVER } from "../../../client/proxy/wire/message-types.ts";
import { authenticationSasl, message, startupPacket } from "../../../client/proxy/wire/messages.ts";
import { backgroundTime } from "../../../client/time.ts";
import { Secret } from "../../../core/secret.ts";
import type { TestCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { LyingServer, makeCertificate, type Script } from "../../support/lying-server.ts";

const username = `mf_login_${randomBytes(4).toString("hex")}`;
const password = new Secret(randomBytes(16).toString("base64url"));
const { signal } = new AbortController();
let cluster: TestCluster;
let admin: pg.Client;
let servers: Servers;

beforeAll(async () => {
  cluster = await fileCluster();
  const { host, port, ca, superuser } = cluster;
  admin = new pg.Client({ host, port, ssl: { ca }, database: "postgres", ...asUser(superuser) });
  await admin.connect();
  await admin.query(`create role ${username} login password '${password.reveal()}'`);
  servers = makeServers({ roots: [ca], time: backgroundTime });
});

afterAll(async () => {
  await admin.query(`drop role ${username}`);
  await admin.end();
});

const asUser = (login: { username: string; password: string }) => ({
  user: login.username,
  password: login.password,
});

const requestOf = (changed: Partial<ServerRequest> = {}): ServerRequest => {
  const { host, port } = cluster;
  const login = { id: "l", username, password, host, port, dbname: "postgres", tls: "verify-full" };
  return {
    server: { host, port },
    login: { ...login, tls: "verify-full" },
    protocol: 0x30000,
    parameters: new Map([["database", "postgres"]]),
    signal,
    ...changed,
  };
};

function messagesIn(bytes: Buffer): Message[] {
  const reader = new MessageReader(1_000_000);
  reader.add(bytes);
  const messages: Message[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next);
  expect(reader.rest.length).toBe(0);
  return messages;
}

const typesIn = (bytes: Buffer): string =>
  messagesIn(bytes)
    .map(({ type }) => String.fromCharCode(type))
    .join("");

/** Everything that the server says to a query, up to ReadyForQuery. */
async function ask(session: ServerSession, text: string): Promise<Buffer> {
  const chunks = new ChunkReader(session.socket);
  session.socket.resume();
  session.socket.write(message(FROM_CLIENT.query, Buffer.from(`${text}\0`)));
  let answer = Buffer.alloc(0);
  while (answer.at(-6) !== FROM_SERVER.readyForQuery)
    answer = Buffer.concat([answer, await chunks.read()]);
  chunks.release();
  return answer;
}

test("a login is a session that answers, with a greeting that is complete", async () => {
  const session = await servers.logIn(requestOf());
  expect(typesIn(session.greeting)).toMatch(/^RS+KZ$/);
  expect(session.rest.length).toBe(0);
  expect(session.socket.listenerCount("data")).toBe(0);
  const answer = await ask(
    session,
    "select version from pg_stat_ssl where pid = pg_backend_pid() and ssl",
  );
  expect(typesIn(answer)).toBe("TDCZ");
  expect(answer.includes("TLSv1.3")).toBe(true);
  session.socket.destroy();
});

describe("versions of the protocol", () => {
  /** What the server says to the very startup packet before it asks for the password. */
  async function negotiationOf(request: ServerRequest): Promise<Buffer> {
    const secureContext = (): SecureContext => createSecureContext({ ca: cluster.ca });
    const { server } = request;
    const options = { server, tls: "verify-full", secureContext, time: backgroundTime } as const;
    const socket = await openConnection({ ...options, signal });
    const chunks = new ChunkReader(socket);
    const messages = new MessageReader(10_000);
    socket.write(startupPacket(request.protocol, [["user", username], ...request.parameters]));
    const said: Buffer[] = [];
    for (;;) {
      const next = messages.next();
      if (next === undefined) messages.add(await chunks.read());
      else if (next.type === FROM_SERVER.negotiateProtocolVersion) said.push(next.bytes);
      else break;
    }
    chunks.release();
    socket.destroy();
    return Buffer.concat(said);
  }

  test.each([
    ["3.0", 0x30000, {}, /^$/],
    ["3.0 with an option", 0x30000, { "_pq_.x": "1" }, /_pq_\.x\0$/],
    ["3.2", 0x30002, {}, /^/],
    ["3.2 with an option", 0x30002, { "_pq_.x": "1" }, /_pq_\.x\0$/],
    ["3.9999", 0x3270f, {}, /^v/],
    ["3.9999 with options", 0x3270f, { "_pq_.x": "1", "_pq_.y": "2" }, /_pq_\.x\0_pq_\.y\0$/],
  ])("%s is negotiated as without a proxy", async (_, protocol, options, expected) => {
    const parameters = new Map([["database", "postgres"], ...Object.entries(options)]);
    const request = requestOf({ protocol, parameters });
    const negotiation = await negotiationOf(request);
    expect(negotiation.toString("latin1")).toMatch(expected);
    const session = await servers.logIn(request);
    const begin = session.greeting.subarray(0, negotiation.length);
    expect(begin).toEqual(negotiation);
    expect(typesIn(session.greeting.subarray(negotiation.length))).toMatch(/^RS+KZ$/);
    const is32 = (await majorOf(session)) >= 18 && protocol >= 0x30002;
    expect(session.cancelKey?.length).toBe(is32 ? 36 : 8);
    const key = messagesIn(session.greeting).find(
      ({ type }) => type === FROM_SERVER.backendKeyData,
    );
    expect(session.cancelKey).toEqual(key?.body);
    session.socket.destroy();
  });

  const majorOf = (session: ServerSession): Promise<number> =>
    Promise.resolve(Number(/server_version\0(\d+)/.exec(session.greeting.toString("latin1"))?.[1]));
});

describe("refused by the server", () => {
  const refusal = async (request: ServerRequest): Promise<ServerRefusal> => {
    const error = await servers.logIn(request).catch((thrown: unknown) => thrown);
    if (!(error instanceof ServerRefusal)) throw new Error("not refused", { cause: error });
    expect(errorFields(error.response.subarray(5)).get("C")).toBe(error.sqlstate);
    return error;
  };
  const into = (database: string): Partial<ServerRequest> => ({
    parameters: new Map([["database", database]]),
  });

  test("with a wrong password", async () => {
    const login = { ...requestOf().login, password: new Secret("wrong") };
    expect((await refusal(requestOf({ login }))).sqlstate).toBe("28P01");
  });

  test("with a user that is not there", async () => {
    const login = { ...requestOf().login, username: "nobody" };
    expect((await refusal(requestOf({ login }))).sqlstate).toBe("28P01");
  });

  test("with a database that is not there, which the server says after it let us in", async () => {
    expect((await refusal(requestOf(into("nowhere")))).sqlstate).toBe("3D000");
  });

  test.each([
    ["nologin", "login", "28000"],
    ["connection limit 0", "connection limit -1", "53300"],
    ["valid until '2020-01-01'", "valid until 'infinity'", "28P01"],
  ])("with a role of which %s is true", async (change, back, sqlstate) => {
    await admin.query(`alter role ${username} ${change}`);
    try {
      expect((await refusal(requestOf())).sqlstate).toBe(sqlstate);
    } finally {
      await admin.query(`alter role ${username} ${back}`);
    }
  });
});

describe("channel binding", () => {
  /** Somebody in between, whose certificate we trust. */
  async function between(change: (bytes: Buffer) => Buffer): Promise<string> {
    const other = await makeCertificate();
    const { host, port } = cluster;
    const secureContext = (): SecureContext => createSecureContext({ ca: cluster.ca });
    const script: Script = async (c) => {
      await c.secure(other);
      const tls = "verify-full";
      const options = { server: { host, port }, tls, secureContext, signal } as const;
      const real = await openConnection({ ...options, time: backgroundTime });
      real.on("data", (bytes) => c.write(change(bytes)));
      try {
        for (;;) real.write(await c.chunk());
      } finally {
        real.destroy();
      }
    };
    await using server = await LyingServer.start(script);
    const trusting = makeServers({ roots: [other.cert], time: backgroundTime });
    const request = requestOf({ server: { host, port: server.port } });
    const error = await trusting.logIn(request).catch((thrown: unknown) => thrown);
    if (!(error instanceof ServerRefusal)) throw new Error("it was let in", { cause: error });
    return errorFields(error.response.subarray(5)).get("M") ?? "";
  }

  test("keeps out who is in between with another certificate", async () => {
    expect(await between((bytes) => bytes)).toBe("SCRAM channel binding check failed");
  });

  test("cannot be talked away", async () => {
    const offer = authenticationSasl(["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    const said = await between((bytes) =>
      bytes.equals(offer) ? authenticationSasl(["SCRAM-SHA-256"]) : bytes,
    );
    expect(said).toMatch(/^SCRAM channel binding negotiation error/);
  });
});

test("a server that insists on TLS refuses a plaintext login itself", async () => {
  const login = { ...requestOf().login, tls: "plaintext" as const };
  const error = await servers.logIn(requestOf({ login })).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ServerRefusal);
  expect(error).toMatchObject({ sqlstate: "28000" });
});

test.each([0x30000, 0x30002])("a statement is cancelled, with protocol %i", async (protocol) => {
  const session = await servers.logIn(requestOf({ protocol }));
  const { server, login } = requestOf();
  const answer = ask(session, "select pg_sleep(60)");
  await eventually(async () => {
    const { rowCount } = await admin.query(
      "select from pg_stat_activity where usename = $1 and query like '%pg_sleep%'",
      [username],
    );
    return rowCount === 1;
  });
  const key = session.cancelKey;
  if (key === undefined) throw new Error("the server gave no key");
  await servers.cancel({ ...server, address: session.socket.remoteAddress }, login.tls, key);
  expect((await answer).toString("latin1")).toContain("C57014");
  session.socket.destroy();
});

test("a server that runs answers a probe", async () => {
  expect(await servers.probe({ ...requestOf().server, address: "127.0.0.1" }, signal)).toBe(true);
});
