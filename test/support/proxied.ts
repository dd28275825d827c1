import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import pg from "pg";
import type { Login } from "../../client/keeper/keeper.ts";
import {
  type ProxyOptions,
  type Proxy as RunningProxy,
  startProxy,
} from "../../client/proxy/proxy.ts";
import type { ProxyEvent } from "../../client/proxy/proxy-events.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { errorFields } from "../../client/proxy/wire/error-fields.ts";
import { type Message, MessageReader } from "../../client/proxy/wire/message-reader.ts";
import { message, startupPacket } from "../../client/proxy/wire/messages.ts";
import { systemTime } from "../../client/time.ts";
import { Secret } from "../../core/secret.ts";
import type { Instant } from "../../core/time.ts";
import type { TestCluster } from "./cluster.ts";
import { FakeKeeper } from "./fake-keeper.ts";
import { withKept } from "./kept-connections.ts";
import { TEST_LIMITS } from "./provisioned.ts";

/** What tests of the proxy stand on: a proxy before a real server, with logins like leases. */
export interface Proxied {
  readonly proxy: RunningProxy;
  readonly keeper: FakeKeeper;
  readonly events: ProxyEvent[];
  readonly cluster: TestCluster;
  readonly first: Login;
  /** Another login of the same group: a next lease. */
  readonly newLogin: () => Promise<Login>;
  /** Give out a next lease; the one before ends after so many milliseconds. */
  readonly replace: (endsIn: number) => Promise<Login>;
  /** As an application without a password. The caller ends it. */
  readonly client: (config?: pg.ClientConfig) => Promise<pg.Client>;
  /** The superuser. */
  readonly admin: <T extends pg.QueryResultRow>(text: string) => Promise<T[]>;
}

const GROUP = "proxied";

const MAKE_GROUP = `
  do $$ begin
    if to_regrole('${GROUP}') is null then
      create role ${GROUP} nologin;
      create table public.items (id int, note text);
      grant select, insert on public.items to ${GROUP};
    end if;
  end $$`;

/** Do something as the superuser, in the database that tests begin with. */
const asAdmin = <T>(
  { ca, superuser, ...at }: TestCluster,
  work: (client: pg.Client) => Promise<T>,
) =>
  withKept(
    {
      host: at.host,
      port: at.port,
      database: "orders",
      username: superuser.username,
      password: new Secret(superuser.password),
      ssl: { ca },
    },
    TEST_LIMITS,
    work,
  );

/** Make a login with what applications may do. Its end is up to the test. */
async function makeLogin(cluster: TestCluster): Promise<Login> {
  const username = `lease_${randomBytes(6).toString("hex")}`;
  const password = randomBytes(16).toString("hex");
  await asAdmin(cluster, (admin) =>
    admin.query(
      `${MAKE_GROUP}; create role ${username} login password '${password}' in role ${GROUP}`,
    ),
  );
  return {
    id: username,
    username,
    password: new Secret(password),
    host: cluster.host,
    port: cluster.port,
    dbname: "orders",
    tls: "verify-full",
  };
}

/** Start a proxy with a first lease. The caller closes it. */
export async function proxied(
  cluster: TestCluster,
  options: Partial<ProxyOptions> = {},
): Promise<Proxied & AsyncDisposable> {
  const first = await makeLogin(cluster);
  const keeper = new FakeKeeper(first);
  const events: ProxyEvent[] = [];
  const proxy = await startProxy({
    keeper,
    listen: { port: 0 },
    servers: makeServers({ roots: [cluster.ca], time: systemTime }),
    applicationName: "test-host",
    onEvent: (event) => events.push(event),
    time: systemTime,
    random: randomBytes,
    ...options,
  });
  const newLogin = (): Promise<Login> => makeLogin(cluster);
  return {
    proxy,
    keeper,
    events,
    cluster,
    first,
    newLogin,
    replace: async (endsIn) => {
      const next = await newLogin();
      keeper.overlap = endsIn as typeof keeper.overlap;
      keeper.next(next, (Date.now() + endsIn) as Instant);
      return next;
    },
    client: async (config) => {
      const host = proxy.socketPath?.replace(/\/[^/]*$/, "") ?? "127.0.0.1";
      const client = new pg.Client({
        host,
        port: proxy.port ?? 5432,
        user: "anybody",
        ssl: false,
        ...config,
      });
      client.on("error", () => {}); // the test looks at the query
      await client.connect();
      return client;
    },
    admin: (text) => asAdmin(cluster, async (admin) => (await admin.query(text)).rows),
    [Symbol.asyncDispose]: () => proxy.close(),
  };
}

/** A client by bytes: sends what it likes, and reads messages. */
export class RawClient {
  readonly socket: Socket;
  readonly #reader = new MessageReader(200_000_000);
  readonly #messages: Message[] = [];
  #cancelKey: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      this.#reader.add(chunk);
      for (let next = this.#reader.next(); next !== undefined; next = this.#reader.next())
        this.#messages.push(next);
      this.#wake?.();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
    socket.resume(); // it may have been paused
  }

  static connect(port: number): RawClient {
    return new RawClient(connect({ port, host: "127.0.0.1" }));
  }

  /** Resolves when the client has a session. */
  static async logIn(port: number): Promise<RawClient> {
    const client = RawClient.connect(port);
    await client.begin();
    return client;
  }

  /** Send a startup packet. @returns what the proxy says to it. */
  async begin(): Promise<readonly Message[]> {
    this.send(startupPacket(196_608, [["user", "anybody"]]));
    const greeting = await this.until("Z");
    this.#cancelKey = greeting.find(({ type }) => type === 0x4b)?.body ?? this.#cancelKey;
    return greeting;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Process id and secret key. */
  get cancelKey(): Buffer {
    return this.#cancelKey;
  }

  /** What came and is no whole message. */
  get rest(): Buffer {
    return this.#reader.rest;
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** `Q` with a text, for example. */
  say(type: string, body: string | Buffer = ""): void {
    this.send(message(type.charCodeAt(0), typeof body === "string" ? Buffer.from(body) : body));
  }

  query(text: string): void {
    this.say("Q", `${text}\0`);
  }

  /** The messages up to the next of this type, it included. Less if the connection closes. */
  async until(type: string): Promise<readonly Message[]> {
    for (;;) {
      const at = this.#messages.findIndex((each) => each.type === type.charCodeAt(0));
      if (at !== -1) return this.#messages.splice(0, at + 1);
      if (this.#isClosed) return this.#messages.splice(0);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** One message, or none if the connection closes. */
  async next(): Promise<readonly Message[]> {
    while (this.#messages.length === 0 && !this.#isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#messages.splice(0, 1);
  }

  /** Everything up to the end of the connection. */
  closed(): Promise<readonly Message[]> {
    return this.until("\0");
  }
}

/** Types of messages, as a word. */
export const typesOf = (messages: readonly Message[]): string =>
  messages.map(({ type }) => String.fromCharCode(type)).join("");

/** SQLSTATE and text of the last ErrorResponse. */
export function errorIn(messages: readonly Message[]): string {
  const found = messages.findLast(({ type }) => type === 0x45);
  if (found === undefined) return "no error";
  const fields = errorFields(found.body);
  return `${fields.get("S")} ${fields.get("C")}: ${fields.get("M")}`;
}
