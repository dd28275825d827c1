import { expect, test } from "vitest";
import { countdown } from "../../../bin/commands/proxied/watch-lease.ts";
import { urlOf, withConnection } from "../../../bin/proxy/connection-variables.ts";
import { logEvents } from "../../../bin/proxy/log-events.ts";
import { jsonOf, type LogEvent, lineOf } from "../../../bin/proxy/proxy-log.ts";
import { StatusLine } from "../../../bin/terminal/status-line.ts";
import type { Login } from "../../../client/keeper/keeper.ts";
import { Secret } from "../../../core/secret.ts";
import { hours, type Instant, minutes, seconds } from "../../../core/time.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";

const NOW = Date.UTC(2027, 0, 11, 9) as Instant;
const PASSWORD = "very-secret";
const login = (username: string): Login => ({
  id: `orders/readonly/${username}`,
  username,
  password: new Secret(PASSWORD),
  host: "db",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
});
const [FIRST, NEXT] = [login("mf_1"), login("mf_2")];
const LISTENING = {
  kind: "listening",
  lease: "orders/readonly",
  host: "127.0.0.1",
  port: 5,
} as const;
const SESSION = {
  kind: "session-ended",
  application: "shop",
  username: "mf_1",
  age: minutes(61),
  state: "in a transaction",
} as const;

test.each<[LogEvent, "info" | "warning", string]>([
  [
    { ...LISTENING, safePoolLifetime: minutes(30) },
    "info",
    "orders/readonly is at 127.0.0.1, port 5",
  ],
  [
    { ...LISTENING, safePoolLifetime: minutes(12) },
    "warning",
    "orders/readonly is at 127.0.0.1, port 5; leases are short: set the pool's maximum lifetime below 12m 00s",
  ],
  [
    { kind: "renewed", login: FIRST, endsAt: NOW },
    "info",
    "mf_1 renewed, until 2027-01-11 09:00:00Z",
  ],
  [
    { kind: "replaced", login: NEXT, before: FIRST, endsAt: NOW },
    "info",
    "new connections log in as mf_2, no longer as mf_1, which ends at 2027-01-11 09:00:00Z",
  ],
  [
    { kind: "replaced", login: NEXT, before: FIRST, endsAt: undefined },
    "info",
    "new connections log in as mf_2, no longer as mf_1",
  ],
  [
    { kind: "failing", failure: "throttled", message: "AWS says no", left: minutes(5) },
    "warning",
    "AWS says no; the login is valid for 5m 00s more",
  ],
  [
    { kind: "failing", failure: "denied", message: "AWS says no", left: undefined },
    "warning",
    "AWS says no",
  ],
  [{ kind: "lost", login: FIRST, message: "revoked" }, "warning", "mf_1 is over: revoked"],
  [
    { ...SESSION, reason: "between-transactions", advice: "do this" },
    "warning",
    "ended a session of shop (mf_1, 1h 01m old, in a transaction): its lease ends in a moment; do this",
  ],
  [
    { ...SESSION, application: "", reason: "quiet", state: "idle", advice: undefined },
    "info",
    "ended a session (mf_1, 1h 01m old, idle): its lease ends soon, and it was quiet",
  ],
  [
    { kind: "login-retried", username: "mf_1", sqlstate: "28P01" },
    "info",
    "the server refused mf_1 (28P01): trying with a fresh lease",
  ],
  [
    { kind: "login-failed", application: "", sqlstate: "08001", message: "no route" },
    "warning",
    "a client could not connect (08001): no route",
  ],
  [
    { kind: "client-refused", sqlstate: "53300", message: "too many" },
    "warning",
    "refused a client (53300): too many",
  ],
  [
    { kind: "server-lost", application: "shop", message: "gone" },
    "warning",
    "a session of shop lost its server: gone",
  ],
  [
    { kind: "statement-cancelled", application: "shop" },
    "info",
    "shop went away during a statement, which was cancelled",
  ],
])("%j in words and as JSON, without a secret", (event, level, words) => {
  expect(lineOf(event)).toMatchObject({ level, words });
  const json = jsonOf(event, NOW);
  expect(JSON.parse(json)).toMatchObject({
    time: "2027-01-11T09:00:00.000Z",
    level,
    event: event.kind,
    message: words,
  });
  expect(json + words).not.toContain(PASSWORD);
});

test("a client cannot write lines of its own into the log", () => {
  const lines: string[] = [];
  const log = { write: (line: string) => lines.push(line), asJson: false, withInfo: true };
  const tell = logEvents(new FakeKeeper(FIRST), log);
  tell({ kind: "client-refused", sqlstate: "28P01", message: "no x\nmayfly: all is well" });
  expect(lines).toEqual([String.raw`mayfly: refused a client (28P01): no x\nmayfly: all is well`]);
});

const ADDRESS = {
  host: "127.0.0.1",
  port: 5433,
  user: "readonly",
  database: "o/rders",
  password: new Secret("p@ss"),
};

test("a command's variables lead to the proxy, and none of the caller's leads elsewhere", () => {
  const env = withConnection(
    {
      PATH: "/bin",
      AWS_PROFILE: "dev",
      PGHOSTADDR: "10.0.0.1",
      PGSERVICE: "prod",
      PGPASSFILE: "x",
      PGSSLMODE: "verify-full",
      PGSSLNEGOTIATION: "direct",
      PGREQUIREAUTH: "none",
      PGOPTIONS: "-c search_path=a",
      DATABASE_URL: "postgresql://prod",
    },
    ADDRESS,
  );
  expect(env).toEqual({
    PATH: "/bin",
    AWS_PROFILE: "dev",
    PGOPTIONS: "-c search_path=a",
    PGHOST: "127.0.0.1",
    PGPORT: "5433",
    PGUSER: "readonly",
    PGDATABASE: "o/rders",
    PGPASSWORD: "p@ss",
    PGSSLMODE: "disable",
    PGGSSENCMODE: "disable",
    DATABASE_URL: "postgresql://readonly:p%40ss@127.0.0.1:5433/o%2Frders?sslmode=disable",
  });
});

test("through a Unix socket there is no password, not even the caller's", () => {
  const address = { ...ADDRESS, host: "/run/m", port: 5432, password: undefined };
  const env = withConnection({ PGPASSWORD: "another" }, address);
  expect(env).not.toHaveProperty("PGPASSWORD");
  expect(env.PGHOST).toBe("/run/m");
  expect(urlOf(address).reveal()).toBe(
    "postgresql://readonly@/o%2Frders?host=%2Frun%2Fm&port=5432&sslmode=disable",
  );
});

test("the countdown says what the lease is used for, and when it ends", () => {
  const ends = { expiresAt: (NOW + minutes(50)) as Instant, atMost: (NOW + hours(8)) as Instant };
  expect(countdown(0, ends, NOW)).toBe("unused; the lease ends in 50m 00s");
  expect(countdown(2, ends, (NOW + seconds(1)) as Instant)).toBe(
    "2 sessions; renewed, then replaced before 7h 59m are over",
  );
  expect(countdown(0, ends, (NOW + hours(1)) as Instant)).toBe(
    "unused; the lease is over, and the next connection asks for one",
  );
});

test("messages stand above the line that is written again; without a terminal only they are written", () => {
  const written = { terminal: "", pipe: "" };
  const lineOn = (isTTY: boolean): StatusLine =>
    new StatusLine({
      in: process.stdin,
      out: process.stdout,
      err: {
        isTTY,
        write: (text: string) => {
          written[isTTY ? "terminal" : "pipe"] += text;
        },
      },
    });
  for (const line of [lineOn(true), lineOn(false)]) {
    line.show("one");
    line.show("one");
    line.say("told");
    line.show("two");
    line.clear();
  }
  const clear = "\r\u001b[K";
  expect(written.terminal).toBe(`${clear}one${clear}told\n${clear}one${clear}two${clear}`);
  expect(written.pipe).toBe("told\n");
});
