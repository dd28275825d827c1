import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { afterEach, beforeAll, expect, test } from "vitest";
import { NoAnswer } from "../../../bin/doctor/doctor-ports.ts";
import { askProxy, openSession } from "../../../bin/doctor/way/ask-proxy.ts";
import { lookAtWay, WAY_CHECKS } from "../../../bin/doctor/way/look-at-way.ts";
import type { WayPorts, WayQuestion } from "../../../bin/doctor/way/way-ports.ts";
import { wayQuestion } from "../../../bin/doctor/way/way-question.ts";
import { wayPorts } from "../../../bin/doctor/way/way-system.ts";
import { KeeperError } from "../../../client/keeper/errors.ts";
import type { Login } from "../../../client/keeper/keeper.ts";
import type { LeaseSource } from "../../../client/keeper/sources/lease-source.ts";
import { startProxy } from "../../../client/proxy/proxy.ts";
import { ServerRefusal, ServerUnreachable } from "../../../client/proxy/server-login.ts";
import { fatalError } from "../../../client/proxy/wire/messages.ts";
import { systemTime } from "../../../client/time.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { Secret } from "../../../core/secret.ts";
import type { Instant } from "../../../core/time.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";
import {
  type Certificate,
  LyingServer,
  makeCertificate,
  OK,
  PARAMETER,
  READY,
} from "../../support/lying-server.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z") as Instant;
const at = (seconds: number): Instant => (NOW + seconds * 1_000) as Instant;
const DAY = 86_400;

const LOGIN: Login = {
  id: "orders/readonly/mf_x",
  username: "mf_x",
  password: new Secret("correct horse"),
  host: "db.example.com",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
};

/** A source that remembers what it revoked. */
function leaseSource(issued: Login | KeeperError = LOGIN) {
  const revoked: string[] = [];
  const source: LeaseSource = {
    name: "orders-issuer:app--readonly",
    issue: async () => {
      if (issued instanceof Error) throw issued;
      const ends = { expiresAt: at(60), maxExpiresAt: at(60), refreshAfter: at(40) };
      return { login: issued, issuedAt: NOW, mayHaveNext: true, ...ends };
    },
    renew: () => Promise.reject(new Error("nobody renews it")),
    revoke: async (id) => void revoked.push(id),
  };
  return { source, revoked };
}

const HEALTHY: WayPorts = {
  env: {},
  now: () => NOW,
  request: async () => ({ status: 403, body: "", date: NOW }),
  resolve: async () => ["10.0.0.7"],
  reach: async () => {},
  secure: async () => at(200 * DAY),
  logIn: async () => {},
  askProxy: async () => ({ kind: "proxy" }),
  openSession: async () => ({ kind: "session" }),
};

const coded = (code: string): Error => Object.assign(new Error(code), { code });
const fails = (error: Error) => () => Promise.reject(error);
const QUESTION: WayQuestion = {
  regions: ["eu-west-1"],
  lease: leaseSource().source,
  proxies: [{ at: 5432 }],
};

const refusal = (sqlstate: string, message: string): ServerRefusal =>
  new ServerRefusal(sqlstate, fatalError({ sqlstate, message }));

const stepOf = ({ fix }: Finding): string => (fix?.kind === "step" ? fix.text : "");

test("a way that is open has nothing but ok", async () => {
  const findings = await lookAtWay(HEALTHY, QUESTION);
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(new Set(findings.map(({ check }) => check))).toEqual(
    new Set(WAY_CHECKS.filter((check) => check !== "agent-configuration")),
  );
});

interface Row {
  readonly row: string;
  readonly ports?: Partial<WayPorts>;
  readonly question?: Partial<WayQuestion>;
  readonly check: (typeof WAY_CHECKS)[number];
  readonly verdict?: Finding["verdict"];
  readonly shows: RegExp;
  readonly mends: RegExp;
}

const ROWS: readonly Row[] = [
  {
    row: "no route to the Lambda API",
    ports: { request: fails(new NoAnswer("ETIMEDOUT", false)) },
    check: "lambda-endpoint",
    shows: /cannot be reached \(ETIMEDOUT\)/,
    mends: /com\.amazonaws\.eu-west-1\.lambda with private DNS/,
  },
  {
    row: "the Lambda API has no name here",
    ports: { request: fails(new NoAnswer("ENOTFOUND", false)) },
    check: "lambda-endpoint",
    shows: /name is not known here/,
    mends: /enableDnsSupport/,
  },
  {
    row: "a proxy of the network breaks TLS to AWS",
    ports: { request: fails(new NoAnswer("SELF_SIGNED_CERT_IN_CHAIN", true)) },
    check: "lambda-endpoint",
    shows: /TLS fails \(SELF_SIGNED_CERT_IN_CHAIN\)/,
    mends: /NODE_EXTRA_CA_CERTS/,
  },
  {
    row: "a clock that is six minutes late",
    ports: { request: async () => ({ status: 403, body: "", date: at(360) }) },
    check: "clock",
    shows: /2026-11-30T12:06:00.* refuses signatures that are 5m 00s off/,
    mends: /chrony/,
  },
  {
    row: "a clock that is two minutes fast",
    ports: { request: async () => ({ status: 403, body: "", date: at(-120) }) },
    check: "clock",
    verdict: "warning",
    shows: /2m 00s apart/,
    mends: /chrony/,
  },
  {
    row: "the issuer denies",
    question: { lease: leaseSource(new KeeperError("denied", "AWS denies it")).source },
    check: "lease",
    shows: /AWS denies it/,
    mends: /grant the role in the configuration/,
  },
  {
    row: "a host that has no address",
    ports: { resolve: fails(coded("ENOTFOUND")) },
    check: "database-name",
    shows: /no address here \(ENOTFOUND\)/,
    mends: /correct the host/,
  },
  {
    row: "a security group that is closed",
    ports: {
      reach: fails(
        new ServerUnreachable("db:5432 does not answer; check security group, route and port"),
      ),
    },
    check: "database-port",
    shows: /does not answer/,
    mends: /check security group, route and port/,
  },
  {
    row: "a certificate of an unknown authority",
    ports: {
      secure: fails(
        new ServerUnreachable(
          "db:5432 has a certificate of an unknown authority; pass its PEM: --ca",
        ),
      ),
    },
    check: "database-tls",
    shows: /unknown authority/,
    mends: /--ca/,
  },
  {
    row: "a certificate that ends in a week",
    ports: { secure: async () => at(7 * DAY) },
    check: "database-tls",
    verdict: "warning",
    shows: /ends at 2026-12-07/,
    mends: /modify-db-instance --ca-certificate-identifier rds-ca-rsa2048-g1/,
  },
  {
    row: "a server without room",
    ports: { logIn: fails(refusal("53300", "too many connections")) },
    check: "database-login",
    shows: /refuses the login: 53300 too many connections/,
    mends: /max_connections/,
  },
  {
    row: "a login that pg_hba.conf refuses",
    ports: { logIn: fails(refusal("28000", "no pg_hba.conf entry")) },
    check: "database-login",
    shows: /28000 no pg_hba\.conf entry/,
    mends: /let pg_hba\.conf take this address/,
  },
  {
    row: "nobody listens at the proxy's port",
    ports: { askProxy: async () => ({ kind: "nobody", code: "ECONNREFUSED" }) },
    check: "proxy-port",
    shows: /nobody listens there \(ECONNREFUSED\)/,
    mends: /start the agent/,
  },
  {
    row: "something else listens at the proxy's port",
    ports: { askProxy: async () => ({ kind: "other", words: "a PostgreSQL server" }) },
    check: "proxy-port",
    shows: /something else listens there: a PostgreSQL server/,
    mends: /choose another port/,
  },
  {
    row: "the proxy has no login",
    ports: {
      openSession: async () => ({ kind: "refused", words: "the Mayfly proxy has no lease" }),
    },
    check: "proxy-login",
    shows: /has no lease/,
    mends: /the agent's log/,
  },
  {
    row: "an agent.json that is wrong",
    question: { configurationError: "MAYFLY_AGENT_CONFIG is no JSON" },
    check: "agent-configuration",
    shows: /is no JSON/,
    mends: /mayfly agent --check/,
  },
  {
    row: "nobody said where the database is, and there is no agent",
    question: { lease: undefined, proxies: [] },
    check: "database-login",
    verdict: "unknown",
    shows: /nobody said where it is/,
    mends: /--lease <database>\/<role>/,
  },
  {
    row: "a host without a lease: it stops before the login, and says so",
    question: { lease: undefined, proxies: [], server: { host: "db.example.com", port: 5432 } },
    check: "database-login",
    verdict: "unknown",
    shows: /no lease was asked for/,
    mends: /--lease/,
  },
];

test.each(ROWS)("$row", async ({ ports, question, check, verdict = "broken", shows, mends }) => {
  const findings = await lookAtWay({ ...HEALTHY, ...ports }, { ...QUESTION, ...question });
  const wrong = findings.filter((each) => each.verdict !== "ok");
  expect(wrong.map((each) => `${each.check} ${each.verdict}`)).toEqual([`${check} ${verdict}`]);
  expect(wrong[0]?.evidence).toMatch(shows);
  expect(wrong.map(stepOf).join("")).toMatch(mends);
});

test("every check of the way has a row", () => {
  expect(new Set(ROWS.map(({ check }) => check))).toEqual(new Set(WAY_CHECKS));
});

test("a lease is revoked whatever was found, and its password is in no finding", async () => {
  const failing: readonly Partial<WayPorts>[] = [
    {},
    { resolve: fails(coded("ENOTFOUND")) },
    { logIn: fails(refusal("28P01", "password authentication failed")) },
    { logIn: fails(new TypeError("a bug")) },
  ];
  for (const ports of failing) {
    const { source, revoked } = leaseSource();
    const looked = lookAtWay({ ...HEALTHY, ...ports }, { ...QUESTION, lease: source });
    const findings = await looked.catch((error: Error) => [error.message]);
    expect(revoked).toEqual([LOGIN.id]);
    expect(JSON.stringify(findings)).not.toMatch("correct horse");
  }
});

test("the agent's own login stands for a lease of the doctor's", async () => {
  const findings = await lookAtWay(HEALTHY, { ...QUESTION, lease: undefined });
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
});

test("options, environment and the agent's configuration say where to look", async () => {
  const arn = (region: string) => `arn:aws:lambda:${region}:111122223333:function:i:app--readonly`;
  const question = await wayQuestion(
    { proxy: [], host: "db.example.com:5433" },
    {
      AWS_REGION: "us-east-1",
      MAYFLY_LEASE_ORDERS_READONLY: arn("eu-west-1"),
      MAYFLY_AGENT_CONFIG: JSON.stringify({
        leases: {
          orders: { arn: arn("eu-north-1"), proxy: { port: 5432, private: true } },
          bills: { arn: arn("eu-west-1"), proxy: { socket: "/run/mayfly/bills" } },
        },
      }),
    },
  );
  expect(question).toMatchObject({
    regions: ["eu-north-1", "eu-west-1"],
    server: { host: "db.example.com", port: 5433 },
    proxies: [{ at: 5432 }, { at: "/run/mayfly/bills/.s.PGSQL.5432" }],
    configurationError: undefined,
  });
  const broken = await wayQuestion({ proxy: ["6432"] }, { MAYFLY_AGENT_CONFIG: "{" });
  expect(broken).toMatchObject({ proxies: [{ at: 6432 }] });
  expect(broken.configurationError).toMatch("is no JSON");
  await expect(wayQuestion({ proxy: ["db"] }, {})).rejects.toThrow('"db" is neither a port');
  await expect(wayQuestion({ proxy: [], host: "a b" }, {})).rejects.toThrow('"a b" is no host');
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return (server.address() as { port: number }).port;
}

let certificate: Certificate;
beforeAll(async () => {
  certificate = await makeCertificate();
});

test("TLS is verified by name and chain, and a login goes through, against a real socket", async () => {
  await using server = await LyingServer.start(async (connection) => {
    await connection.secure(certificate);
    await connection.prove("correct horse");
    connection.write(OK, PARAMETER, READY);
  });
  const here = { host: "127.0.0.1", port: server.port };
  const trusting = wayPorts(certificate.cert);
  expect(await trusting.resolve("127.0.0.1")).toEqual(["127.0.0.1"]);
  await trusting.reach(here);
  expect(await trusting.secure(here)).toBeGreaterThan(Date.now());
  await trusting.logIn({ ...LOGIN, ...here });
  await expect(wayPorts(undefined).secure(here)).rejects.toThrow("unknown authority");
  await expect(trusting.logIn({ ...LOGIN, ...here, password: new Secret("x") })).rejects.toThrow(
    ServerUnreachable,
  );
});

test("a Mayfly proxy is told from other programs, and its login is tried", async () => {
  const proxy = await startProxy({
    keeper: new FakeKeeper(LOGIN),
    listen: { port: 0 },
    servers: {
      logIn: fails(new ServerUnreachable("db.example.com:5432 does not answer")),
      cancel: async () => {},
      probe: async () => false,
    },
    applicationName: "test",
    onEvent: () => {},
    time: systemTime,
    random: (bytes) => Buffer.alloc(bytes, 7),
  });
  closing.push(() => proxy.close());
  expect(await askProxy(proxy.port ?? 0)).toEqual({ kind: "proxy" });
  expect(await openSession(proxy.port ?? 0)).toEqual({
    kind: "refused",
    words: "the Mayfly proxy cannot log in to the server: db.example.com:5432 does not answer",
  });
});

test("a PostgreSQL server, a web server and a closed port are no proxy", async () => {
  await using postgres = await LyingServer.start(async (connection) => {
    await connection.chunk();
    connection.write(fatalError({ sqlstate: "28000", message: "no pg_hba.conf entry" }));
  });
  expect(await askProxy(postgres.port)).toEqual({ kind: "other", words: "no pg_hba.conf entry" });
  const web = await portOf(createHttpServer((_, answer) => answer.end("hello")));
  expect(await askProxy(web)).toEqual({
    kind: "other",
    words: "it does not speak PostgreSQL's protocol",
  });
  const closed = createServer();
  const port = await portOf(closed);
  closed.close();
  expect(await askProxy(port)).toEqual({ kind: "nobody", code: "ECONNREFUSED" });
});
