import { beforeAll, describe, expect, test } from "vitest";
import {
  type ServerAddress,
  ServerRefusal,
  type ServerRequest,
  type ServerSession,
  ServerUnreachable,
} from "../../../../client/proxy/server-login.ts";
import { makeServers } from "../../../../client/proxy/upstream/servers.ts";
import {
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  fatalError,
  message,
} from "../../../../client/proxy/wire/messages.ts";
import { backgroundTime, type ClientTime } from "../../../../client/time.ts";
import { Secret } from "../../../../core/secret.ts";
import { type Duration, hours, milliseconds } from "../../../../core/time.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  type Certificate,
  LyingServer,
  makeCertificate,
  OK,
  PARAMETER,
  READY,
  type Script,
  type ScriptedConnection,
} from "../../../support/lying-server.ts";

const PASSWORD = "correct horse";
let certificate: Certificate;

beforeAll(async () => {
  certificate = await makeCertificate();
});

interface Attempt {
  readonly host?: string;
  readonly tls?: "verify-full" | "plaintext";
  readonly time?: ClientTime;
  readonly signal?: AbortSignal;
  readonly roots?: readonly string[];
}

const requestOf = (
  server: ServerAddress,
  { tls = "verify-full", signal }: Attempt,
): ServerRequest => ({
  server,
  login: {
    id: "l",
    username: "u",
    password: new Secret(PASSWORD),
    dbname: "d",
    ...server,
    tls,
  },
  protocol: 196_608,
  parameters: new Map([["database", "d"]]),
  signal: signal ?? new AbortController().signal,
});

async function logIn(script: Script, attempt: Attempt = {}): Promise<ServerSession> {
  await using server = await LyingServer.start(script);
  const { host = "127.0.0.1", roots = [certificate.cert], time = backgroundTime } = attempt;
  try {
    return await makeServers({ roots, time }).logIn(
      requestOf({ host, port: server.port }, attempt),
    );
  } catch (error) {
    // whatever the lie, no connection of ours stays
    await eventually(() => server.connections === 0, { every: 2 });
    throw error;
  }
}

/** What a login says of a server, without the address at its begin. */
async function complaint(script: Script, attempt: Attempt = {}): Promise<string> {
  const error = await logIn(script, attempt).catch((thrown: unknown) => thrown);
  if (!(error instanceof ServerUnreachable)) throw new Error("the server was not left");
  const { host = "127.0.0.1" } = attempt;
  const [, words = ""] = new RegExp(`^${host}:\\d+ (.*)$`).exec(error.message) ?? [];
  // beside the longest address, it still is a sentence of 160 characters
  if (words.length > 88) throw new Error(`too long: ${words}`);
  return words;
}

/**
 * The n-th limit is reached at once, that of the step in which the server is silent; the others
 * never, however long the steps before take.
 */
const hastyTime = (nth: number, waits: Duration[] = []): ClientTime => ({
  ...backgroundTime,
  wait: (length, signal) => {
    waits.push(length);
    const isReached = waits.length === nth;
    return backgroundTime.wait(isReached ? milliseconds(50) : hours(1), signal);
  },
});

const silence = async (connection: ScriptedConnection): Promise<void> => {
  await connection.chunk();
};

describe("before TLS", () => {
  test.each<[string, Script, RegExp]>([
    ["closes at once", (c) => void c.socket.destroy(), /closed the connection before TLS/],
    [
      "closes instead of an answer",
      async (c) => silence(c).then(() => void c.socket.end()),
      /closed the connection before TLS/,
    ],
    ["refuses TLS", async (c) => silence(c).then(() => c.write("N")), /refuses TLS; set ssl = on/],
    [
      "reports an error",
      async (c) => silence(c).then(() => c.write(fatalError({ sqlstate: "53300", message: "no" }))),
      /reports an error before TLS/,
    ],
    [
      "speaks HTTP",
      async (c) => silence(c).then(() => c.write("HTTP/1.1 400 Bad Request")),
      /more than one byte/,
    ],
    [
      "answers with one wrong byte",
      async (c) => silence(c).then(() => c.write("?")),
      /does not speak PostgreSQL's protocol/,
    ],
    [
      "sends plaintext behind S",
      async (c) => silence(c).then(() => c.write("S", OK, READY)),
      /more than one byte before TLS/,
    ],
  ])("a server that %s is left", async (_, script, words) => {
    expect(await complaint(script)).toMatch(words);
  });

  test("a server that is silent is left after four seconds", async () => {
    const waits: Duration[] = [];
    expect(await complaint(silence, { time: hastyTime(2, waits) })).toMatch(/is silent in the TLS/);
    expect(waits).toEqual([4_000, 4_000]);
  });
});

describe("in the TLS handshake", () => {
  const speaking =
    (options: () => Certificate): Script =>
    (c) =>
      c.secure(options());
  const later = async (c: ScriptedConnection, ...bytes: (Buffer | string)[]): Promise<void> => {
    await c.chunk();
    c.write("S");
    await c.chunk();
    c.write(...bytes);
  };

  test.each<[string, Script, RegExp]>([
    ["answers in plaintext", (c) => later(c, OK, READY), /fails the TLS handshake|closed the conn/],
    [
      "answers with an error",
      (c) => later(c, fatalError({ sqlstate: "XX000", message: "no" })),
      /fails the TLS handshake/,
    ],
    [
      "closes",
      async (c) => {
        await c.chunk();
        c.write("S");
        await c.chunk();
        c.socket.destroy();
      },
      /closed the connection in the TLS handshake/,
    ],
    [
      "offers TLS 1.1",
      (c) =>
        c.secure({
          ...certificate,
          minVersion: "TLSv1",
          maxVersion: "TLSv1.1",
          ciphers: "DEFAULT@SECLEVEL=0",
        }),
      /offers no TLS 1.2/,
    ],
  ])("a server that %s is left", async (_, script, words) => {
    expect(await complaint(script)).toMatch(words);
  });

  test("a server that is silent after S is left after four seconds", async () => {
    const waits: Duration[] = [];
    const script: Script = async (c) => silence(c).then(() => c.write("S"));
    expect(await complaint(script, { time: hastyTime(3, waits) })).toMatch(/silent in the TLS/);
    expect(waits).toEqual([4_000, 4_000, 4_000]);
  });

  test("a server of another authority is left, and the words say how to name that", async () => {
    const other = await makeCertificate();
    expect(await complaint(speaking(() => other))).toMatch(
      /unknown authority; pass its PEM: --ca or NODE_EXTRA_CA_CERTS$/,
    );
  });

  const day = 86_400_000;
  test.each([
    [
      "has expired",
      { from: new Date(Date.now() - 2 * day), to: new Date(Date.now() - day) },
      /expired/,
    ],
    [
      "is not valid yet",
      { from: new Date(Date.now() + day), to: new Date(Date.now() + 2 * day) },
      /not valid yet; check this machine's clock/,
    ],
    ["is for another name", { name: "db.example.com" }, /for other names/],
  ])("a server of which the certificate %s is left", async (_, options, words) => {
    const wrong = await makeCertificate(options);
    const script = speaking(() => wrong);
    for (const host of ["127.0.0.1", "localhost"])
      expect(await complaint(script, { roots: [wrong.cert], host })).toMatch(words);
  });
});

const authentication = (kind: number, rest = ""): Buffer => {
  const body = Buffer.alloc(4 + rest.length);
  body.writeInt32BE(kind);
  body.write(rest, 4);
  return message(0x52, body);
};

/** To where a client has to prove that it knows the password. */
async function continueScram(c: ScriptedConnection, iterations: number): Promise<void> {
  await c.chunk();
  c.write(authenticationSasl(["SCRAM-SHA-256"]));
  const [, nonce] = /r=(.*)$/.exec((await c.message()).body.toString()) ?? [];
  c.write(authenticationSaslContinue(`r=${nonce}x,s=YWFh,i=${iterations}`));
}

/** What servers do in the login, over TLS and, where a login allows that, without. */
const LIES: readonly [string, Script, RegExp][] = [
  [
    "closes",
    async (c) => silence(c).then(() => void c.socket.end()),
    /closed the connection in the login/,
  ],
  [
    "sends garbage",
    async (c) => silence(c).then(() => c.write(Buffer.alloc(40, 0xff))),
    /does not speak PostgreSQL's protocol/,
  ],
  [
    "announces a message of 2 GB",
    async (c) => silence(c).then(() => c.write("R\x7f\xff\xff\xff")),
    /does not speak/,
  ],
  [
    "asks for the password",
    async (c) => silence(c).then(() => c.write(authentication(3))),
    /asks for the password itself/,
  ],
  [
    "asks for an MD5 password",
    async (c) => silence(c).then(() => c.write(authentication(5, "salt"))),
    /asks for an MD5 password/,
  ],
  [
    "asks for Kerberos",
    async (c) => silence(c).then(() => c.write(authentication(7))),
    /authentication of kind 7/,
  ],
  [
    "asks for nothing that is readable",
    async (c) => silence(c).then(() => c.write(message(0x52, Buffer.of(0)))),
    /authentication of kind -1/,
  ],
  [
    "offers unknown mechanisms",
    async (c) =>
      silence(c).then(() => c.write(authenticationSasl(["X".repeat(60), "OAUTHBEARER"]))),
    /offers no SCRAM-SHA-256 but "X{30}"/,
  ],
  [
    "offers no mechanism",
    async (c) => silence(c).then(() => c.write(authenticationSasl([]))),
    /offers no SCRAM-SHA-256/,
  ],
  [
    "lets us in without a word",
    async (c) => silence(c).then(() => c.write(OK, READY)),
    /does not prove that it knows the password/,
  ],
  [
    "lets us in after our first word",
    async (c) => {
      await c.chunk();
      c.write(authenticationSasl(["SCRAM-SHA-256"]));
      await c.message();
      c.write(OK, READY);
    },
    /does not prove/,
  ],
  [
    "begins SCRAM twice",
    async (c) => {
      await c.chunk();
      c.write(authenticationSasl(["SCRAM-SHA-256"]), authenticationSasl(["SCRAM-SHA-256"]));
    },
    /authentication of kind 10/,
  ],
  [
    "continues SCRAM before it began",
    async (c) => silence(c).then(() => c.write(authenticationSaslContinue("r=a,s=YWFh,i=4096"))),
    /authentication of kind 11/,
  ],
  [
    "ends SCRAM before it began",
    async (c) => silence(c).then(() => c.write(authenticationSaslFinal("v="), OK)),
    /authentication of kind 12/,
  ],
  [
    "signs before we proved anything",
    async (c) => {
      await c.chunk();
      c.write(authenticationSasl(["SCRAM-SHA-256"]));
      await c.message();
      c.write(authenticationSaslFinal(`v=${Buffer.alloc(32).toString("base64")}`), OK, READY);
    },
    /malformed final SCRAM message/,
  ],
  [
    "wants a billion iterations",
    async (c) => {
      await continueScram(c, 1000000000);
    },
    /asks for 1000000000 SCRAM iterations/,
  ],
  [
    "does not know the password",
    async (c) => {
      await continueScram(c, 4096);
      await c.message();
      c.write(authenticationSaslFinal(`v=${Buffer.alloc(32, 1).toString("base64")}`), OK, READY);
    },
    /does not know the password: its SCRAM signature is wrong/,
  ],
  [
    "lets us in without its signature",
    async (c) => {
      await continueScram(c, 4096);
      await c.message();
      c.write(OK, READY);
    },
    /does not prove/,
  ],
  [
    "is ready before we are in",
    async (c) => silence(c).then(() => c.write(READY)),
    /message of type "Z" in the middle of the login/,
  ],
  [
    "is ready before it lets us in",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(PARAMETER, READY);
    },
    /message of type "S"/,
  ],
  [
    "asks again after it let us in",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(OK, authentication(3));
    },
    /message of type "R"/,
  ],
  [
    "sends rows before it is ready",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(OK, message(0x44, Buffer.alloc(9)));
    },
    /message of type "D"/,
  ],
  [
    "sends a cancel key of 300 bytes",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(OK, message(0x4b, Buffer.alloc(304)));
    },
    /a cancel key of 300 bytes/,
  ],
  [
    "sends a cancel key of 3 bytes",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(OK, message(0x4b, Buffer.alloc(7)));
    },
    /a cancel key of 3 bytes/,
  ],
  [
    "never stops talking",
    async (c) => {
      await c.prove(PASSWORD);
      c.write(OK, ...Array.from({ length: 30 }, () => message(0x4e, Buffer.alloc(10_000))));
    },
    /more than 256 KB/,
  ],
];

describe("in the login over TLS", () => {
  test.each(LIES)("a server that %s is left", async (_, lie, words) => {
    const script: Script = async (c) => {
      await c.secure(certificate);
      await lie(c);
    };
    expect(await complaint(script)).toMatch(words);
  });

  test("a server that is silent is left after eight seconds", async () => {
    const waits: Duration[] = [];
    const script: Script = async (c) => {
      await c.secure(certificate);
      await silence(c);
    };
    expect(await complaint(script, { time: hastyTime(4, waits) })).toMatch(/silent in the login/);
    expect(waits).toEqual([4_000, 4_000, 4_000, 5_000]);
  });
});

describe("in a plaintext login", () => {
  test.each(LIES)("a server that %s is left", async (_, lie, words) => {
    expect(await complaint(lie, { tls: "plaintext" })).toMatch(words);
  });

  test("no TLS is asked for", async () => {
    let first: Buffer = Buffer.alloc(0);
    const script: Script = async (c) => {
      first = await c.chunk();
      c.socket.destroy();
    };
    expect(await complaint(script, { tls: "plaintext" })).toMatch(/in the login/);
    expect(first.toString("latin1", 4)).toBe("\0\x03\0\0user\0u\0database\0d\0\0");
  });
});

test("an error of the server comes through as it is, also after AuthenticationOk", async () => {
  const response = fatalError({ sqlstate: "28000", message: "role is not permitted to log in" });
  const scripts: Script[] = [
    async (c) => {
      await c.secure(certificate);
      await c.chunk();
      c.write(response);
    },
    async (c) => {
      await c.secure(certificate);
      await c.prove(PASSWORD);
      c.write(OK, PARAMETER, response);
    },
  ];
  for (const script of scripts) {
    const error = await logIn(script).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServerRefusal);
    expect(error).toMatchObject({ sqlstate: "28000", response });
  }
});

test("a login keeps the server's words in their order, and what came behind them", async () => {
  const negotiation = message(0x76, Buffer.from([0, 3, 0, 2, 0, 0, 0, 0]));
  const notice = message(0x4e, Buffer.from("SNOTICE\0\0"));
  const key = message(0x4b, Buffer.alloc(36, 9));
  const script: Script = async (c) => {
    await c.secure(certificate);
    c.write(negotiation);
    await c.prove(PASSWORD);
    const words = Buffer.concat([notice, OK, PARAMETER, notice, key, READY, notice]);
    // one byte at a time
    for (const byte of words) {
      c.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  };
  const session = await logIn(script);
  const greeting = Buffer.concat([negotiation, notice, OK, PARAMETER, notice, key, READY]);
  expect(session.greeting).toEqual(greeting);
  expect(session.cancelKey).toEqual(Buffer.alloc(36, 9));
  expect(notice.subarray(0, session.rest.length)).toEqual(session.rest);
  expect(session.socket.isPaused()).toBe(true);
  expect(session.socket.listenerCount("data")).toBe(0);
  session.socket.destroy();
});

test("what comes in one packet with ReadyForQuery is kept for the session", async () => {
  const notification = message(0x41, Buffer.from("\0\0\0\x01a\0b\0"));
  const session = await logIn(async (c) => {
    await c.secure(certificate);
    await c.prove(PASSWORD);
    c.write(OK, READY, notification);
  });
  expect(session.greeting).toEqual(Buffer.concat([OK, READY]));
  expect(session.rest).toEqual(notification);
  session.socket.destroy();
});

test.each<[string, Script]>([
  ["before TLS", silence],
  ["in the TLS handshake", async (c) => silence(c).then(() => c.write("S"))],
  ["in the login", async (c) => c.secure(certificate).then(() => silence(c))],
])("a login that is given up %s leaves no connection", async (_, script) => {
  const reason = new Error("the client went away");
  const given = new AbortController();
  const attempt = logIn(
    async (c) => {
      await script(c);
      given.abort(reason);
    },
    { signal: given.signal },
  );
  await expect(attempt).rejects.toBe(reason);
});

test("nobody listens, or nobody is there: the words say so", async () => {
  const servers = makeServers({ roots: [], time: backgroundTime });
  const { port } = await (async () => {
    await using server = await LyingServer.start(() => {});
    return server;
  })();
  const attempt = (host: string): Promise<ServerSession> =>
    servers.logIn(requestOf({ host, port }, {}));
  await expect(attempt("127.0.0.1")).rejects.toThrow(`127.0.0.1:${port} refuses connections; is`);
  await expect(attempt("nobody.invalid")).rejects.toThrow(/has no known host; check the name/);
  const long = `${"a".repeat(60)}.${"b".repeat(60)}.eu-west-1.rds.invalid`;
  const error = await attempt(long).catch((thrown: unknown) => thrown as Error);
  expect(error).toBeInstanceOf(ServerUnreachable);
  expect((error as Error).message.length).toBeLessThanOrEqual(160);
});

test("a server is reached by its address, and known by its name", async () => {
  const named = await makeCertificate({ name: "db.example.com" });
  await using server = await LyingServer.start(async (c) => {
    await c.secure(named);
    await c.prove(PASSWORD);
    c.write(OK, READY);
  });
  const servers = makeServers({ roots: () => [named.cert], time: backgroundTime });
  const address = { host: "db.example.com", port: server.port, address: "127.0.0.1" };
  const session = await servers.logIn(requestOf(address, {}));
  expect(session.cancelKey).toBeUndefined();
  session.socket.destroy();
});

describe("a cancel request", () => {
  test("goes over TLS, and is over when the server has closed", async () => {
    const key = Buffer.alloc(36, 5);
    let got: Buffer = Buffer.alloc(0);
    let isClosed = false;
    await using server = await LyingServer.start(async (c) => {
      await c.secure(certificate);
      got = await c.chunk();
      isClosed = true;
      c.socket.end();
    });
    const servers = makeServers({ roots: [certificate.cert], time: backgroundTime });
    await servers.cancel({ host: "127.0.0.1", port: server.port }, "verify-full", key);
    expect(isClosed).toBe(true);
    expect(got.toString("hex")).toBe(`0000002c04d2162e${key.toString("hex")}`);
  });

  test("is given up at a server that keeps the connection, or is another", async () => {
    await using silent = await LyingServer.start((c) => c.secure(certificate));
    const address = { host: "127.0.0.1", port: silent.port };
    const waits: Duration[] = [];
    const trusting = makeServers({ roots: [certificate.cert], time: hastyTime(4, waits) });
    await trusting.cancel(address, "verify-full", Buffer.alloc(8));
    expect(waits).toEqual([4_000, 4_000, 4_000, 5_000]);
    const other = makeServers({ roots: [(await makeCertificate()).cert], time: backgroundTime });
    await other.cancel(address, "verify-full", Buffer.alloc(8));
    await eventually(() => silent.connections === 0, { every: 5 });
  });
});

test("a probe tells a server that answers from one that does not", async () => {
  const probe = async (script: Script, time: ClientTime = backgroundTime): Promise<boolean> => {
    await using server = await LyingServer.start(script);
    return await makeServers({ roots: [], time }).probe(
      { host: "127.0.0.1", port: server.port },
      new AbortController().signal,
    );
  };
  expect(await probe(async (c) => silence(c).then(() => c.write("S")))).toBe(true);
  expect(await probe(async (c) => silence(c).then(() => c.write("N")))).toBe(true);
  expect(await probe((c) => void c.socket.destroy())).toBe(false);
  expect(await probe(silence, hastyTime(2))).toBe(false);
});
