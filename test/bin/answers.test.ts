import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FakeLambda, fakeLambda } from "../support/fake-lambda.ts";
import { mayfly, mayflyHere } from "../support/mayfly.ts";

let fake: FakeLambda;
beforeAll(async () => {
  fake = await fakeLambda();
});
afterAll(() => fake.stop());

const OPERATOR = ["--function", "mayfly-Mayfly-qdoi-operator"];
const LEASE = "orders/readonly/mf_qdoi_readonly_user-service_mzxw6ytbahabcdefghijkl";

describe("the exit status says who must act", () => {
  test.each<[string, number, number]>([
    ["InvalidRequestError", 200, 64],
    ["LeaseEndedError", 200, 69],
    ["ForeignRoleError", 200, 69],
    ["StatementRejectedError", 200, 70],
    ["InternalError", 200, 70],
    ["LimitReachedError", 200, 73],
    ["DatabaseUnavailableError", 200, 75],
    ["SchedulerUnavailableError", 200, 75],
    ["OutOfTimeError", 200, 75],
    ["Sandbox.Timedout", 200, 75],
    ["Runtime.ExitError", 200, 75],
    ["NotAllowedError", 200, 77],
    ["AwsRefusedError", 200, 78],
    ["ConfigError", 200, 78],
    ["TooManyRequestsException", 429, 75],
    ["ServiceException", 500, 75],
    ["AccessDeniedException", 403, 77],
    ["ExpiredTokenException", 403, 77],
    ["UnrecognizedClientException", 403, 77],
    ["ResourceNotFoundException", 404, 69],
    ["InvalidParameterValueException", 400, 70],
  ])("%s (HTTP %i): %i", async (errorType, status, expected) => {
    fake.script({ status, errorType });
    const ran = await mayflyHere(["status", ...OPERATOR], fake.env);
    expect(ran).toMatchObject({ status: expected, out: "" });
    const words = status === 200 ? `${errorType}: it says ${errorType}` : errorType;
    expect(ran.err).toBe(`mayfly: ${words}\n`);
  });
});

test("a sweep that could not do everything says why, and ends with the status of the failure", async () => {
  const failed = [
    { leaseId: LEASE, errorType: "AwsRefusedError", reason: "CreateSchedule: denied" },
  ];
  const report = { failed, foreign: [], unknownMembers: [], strays: [], revoked: 1 };
  fake.script({ body: report });
  const ran = await mayfly(["sweep", "--json", ...OPERATOR], fake.env);
  expect(ran.status).toBe(78);
  expect(JSON.parse(ran.out)).toEqual(report);
  expect(ran.err).toMatch(
    /AwsRefusedError: CreateSchedule: denied\nmayfly: the sweep could not do/,
  );
});

describe("break-glass", () => {
  const OWNED = { database: "orders", catalog: "pg_proc", kind: "owner", count: 2 };
  const LOCKED = { errorType: "DatabaseUnavailableError", reason: "it is locked; wait" };
  const next = "mf_qdoi_readonly_user-service_mzxw6ytbahabcdefghijkl";
  const part = (more: object): object => ({
    body: { revoked: 0, quarantined: 0, unverified: 0, failed: [], ...more },
  });

  test("goes on where the function's time ran out, tells how far it is, and adds up", async () => {
    fake.script(
      part({ revoked: 500, next }),
      part({ revoked: 12, next: "b" }),
      part({ revoked: 1 }),
    );
    const args = ["revoke", "--consumer", "user-service", "--yes", "--json", ...OPERATOR];
    const { status, out, err } = await mayfly(args, fake.env);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toEqual({ revoked: 513, quarantined: 0, unverified: 0, failed: [] });
    expect(err.split("\n")).toEqual([
      "500 revoked, 0 in quarantine, 0 unverified, 0 failed so far",
      "512 revoked, 0 in quarantine, 0 unverified, 0 failed so far",
      "",
    ]);
    const event = { action: "revoke", consumer: "user-service" };
    expect(fake.events).toEqual([event, { ...event, after: next }, { ...event, after: "b" }]);
  });

  test("the answer names what keeps each lease, also if it takes several calls", async () => {
    const kept = (leaseId: string) => ({ leaseId, state: "unverified", blockers: [OWNED] });
    fake.script(
      part({ unverified: 1, kept: [kept("orders/1")], next }),
      part({ unverified: 1, kept: [kept("orders/2")] }),
    );
    const { out } = await mayfly(
      ["revoke", "--everything", "--yes", "--json", ...OPERATOR],
      fake.env,
    );
    expect(JSON.parse(out).kept).toEqual([kept("orders/1"), kept("orders/2")]);
  });

  test.each<[string, object, number, RegExp]>([
    ["unverified", { unverified: 2, quarantined: 1 }, 75, /^mayfly: 2 leases unverified/],
    [
      "in quarantine",
      {
        quarantined: 3,
        kept: [
          { leaseId: "orders/1", state: "quarantined", blockers: [OWNED] },
          { leaseId: "orders/2", state: "quarantined", blockers: [OWNED] },
          { leaseId: "orders/3", state: "quarantined", blockers: [] },
        ],
      },
      69,
      /^orders\/1 and 1 more: in quarantine, kept by 2 owner \(pg_proc in orders\)\norders\/3: in quarantine, kept by what is gone by now\nmayfly: 3 leases in quarantine/,
    ],
    [
      "not revoked now",
      { quarantined: 1, failed: [{ leaseId: LEASE, ...LOCKED }] },
      75,
      new RegExp(
        `^${LEASE}: DatabaseUnavailableError: it is locked; wait\nmayfly: 1 lease could not`,
      ),
    ],
    [
      "not revoked, for want of a privilege",
      {
        quarantined: 1,
        failed: [
          { leaseId: "orders/1", ...LOCKED },
          { leaseId: "orders/2", ...LOCKED },
          {
            leaseId: "orders/3",
            errorType: "StatementRejectedError",
            reason: 'step "latch" (code 42501)',
          },
        ],
      },
      70,
      /^orders\/1 and 1 more: Data.*\norders\/3: StatementRejectedError: step "latch" \(code 42501\)\nmayfly: 3 leases could/,
    ],
  ])("a lease that is left %s shows in the exit status", async (_, more, expected, words) => {
    fake.script(part(more));
    const ran = await mayfly(["revoke", "--prefix", "mf_", "--yes", ...OPERATOR], fake.env);
    expect(ran.status).toBe(expected);
    expect(ran.out).toMatch(
      /^revoked {6}0\nquarantined {2}[123]\nunverified {3}[02]\nfailed {7}[013]\n$/,
    );
    expect(ran.err).toMatch(words);
  });

  test.each<[string[], string]>([
    [["--consumer", "nobody"], "there is no lease of consumer nobody; mayfly leases lists "],
    [["--prefix", "mf_x"], "there is no lease of a user that begins with mf_x; mayfly leases "],
    [["--everything"], "there is no lease; mayfly leases lists those that exist\n"],
  ])("what matches no lease is told: %j", async (selector, words) => {
    fake.script(part({}));
    const ran = await mayflyHere(["revoke", ...selector, "--yes", ...OPERATOR], fake.env);
    expect(ran.status).toBe(0);
    expect(ran.err).toContain(words);
  });

  test("an error after some calls still reports what was done", async () => {
    fake.script(part({ revoked: 500, next }), { errorType: "DatabaseUnavailableError" });
    const { status, err } = await mayfly(
      ["revoke", "--everything", "--yes", ...OPERATOR],
      fake.env,
    );
    expect(status).toBe(75);
    expect(err).toContain(
      "stopped after 500 revoked, 0 in quarantine, 0 unverified, 0 failed; run the same command again to go on\n",
    );
  });
});

test("the output for a lease in quarantine names what keeps it", async () => {
  const blockers = [{ database: "orders", catalog: "pg_class", kind: "owner", count: 2 }];
  fake.script({ body: { leaseId: LEASE, state: "quarantined", servers: [], blockers } });
  const ran = await mayfly(["revoke", LEASE, "--as-operator", ...OPERATOR], fake.env);
  expect(ran.status).toBe(69);
  expect(ran.out).toContain("kept by  2 owner (pg_class in orders)\n");
  expect(ran.err).toMatch(/^mayfly: lease .* is in quarantine: it cannot log in/);
});

test("the output says what was cleared, and why the rest was not", async () => {
  const litter = { database: "orders", catalog: "pg_largeobject" };
  const blockers = [
    { ...litter, kind: "owner", count: 1, why: "large objects with data are kept" },
  ];
  const cleared = [{ ...litter, count: 3 }];
  fake.script({ body: { leaseId: LEASE, state: "quarantined", servers: [], blockers, cleared } });
  const ran = await mayfly(["revoke", LEASE, "--as-operator", ...OPERATOR], fake.env);
  expect(ran.out).toMatch(
    /^kept by +1 owner \(pg_largeobject in orders\): large objects with data are kept$/m,
  );
  expect(ran.out).toMatch(/^cleared +3 \(pg_largeobject in orders\)$/m);
});

test("the output for an unverified lease names the reader, the reason and the next sweep", async () => {
  const server = {
    server: "replica:5432",
    sessionsEnded: 0,
    stragglersEnded: 0,
    sessionsRemaining: 0,
    latchSeen: false,
    problem: "it is away",
  };
  const blockers = [{ database: "replica:5432", catalog: "roles", kind: "server", count: 1 }];
  fake.script({ body: { leaseId: LEASE, state: "unverified", servers: [server], blockers } });
  const ran = await mayfly(["revoke", LEASE, "--as-operator", ...OPERATOR], fake.env);
  expect(ran.status).toBe(75);
  expect(ran.out).toMatch(/^sessions on replica:5432 {2}it is away$/m);
  expect(ran.out).toMatch(/kept by +1 server \(roles in replica:5432\)/);
  expect(ran.err).toMatch(/^mayfly: lease .* cannot log in, but a reader .*; the sweep/);
});

test("a credential without a schedule is printed with a warning, quoted for a shell", async () => {
  const credential = {
    leaseId: LEASE,
    host: "h",
    port: 5432,
    dbname: "it's",
    username: "u",
    password: "p",
    sslmode: "verify-full",
    expiresAt: "2026-11-21T09:15:00.000Z",
    revocationScheduled: false,
  };
  fake.script({ body: credential });
  const grant = ["--consumer", "user-service", "--role", "readonly", "--function", "issuer"];
  const { out, err } = await mayfly(["issue", ...grant, "--format", "env"], fake.env);
  expect(out).toContain("export PGDATABASE='it'\\''s'\nexport PGUSER='u'\nexport PGPASSWORD='p'\n");
  expect(err).toBe(
    `lease ${LEASE}, until 2026-11-21 09:15:00Z\nits revocation could not be scheduled; the next sweep schedules it\n`,
  );
});

test("all pages are read, empty ones too, and control characters in names are escaped", async () => {
  fake.script(
    { body: { leases: [], foreign: [], next: "mf_a" } },
    {
      body: {
        leases: [],
        foreign: [{ username: "mf_\u001b[2J\u009b", why: "its name" }],
        next: "mf_b",
      },
    },
    { body: { leases: [], foreign: [] } },
  );
  const ran = await mayfly(["leases", "--role", "readonly", ...OPERATOR], fake.env);
  const event = { action: "list", role: "readonly" };
  expect(fake.events).toEqual([event, { ...event, after: "mf_a" }, { ...event, after: "mf_b" }]);
  expect(ran).toMatchObject({
    status: 0,
    out: "",
    err: "0 leases\nrole mf_\\u001b[2J\\u009b is named like a lease but is not a lease: its name\n",
  });
});

describe("status", () => {
  const at = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
  const note = (server: string, more: object) => ({
    server,
    state: "looked",
    looks: 3,
    lookedAt: at(2),
    sessions: 0,
    applications: [],
    ...more,
  });

  test("has a line for each server of a watched user, and says where nobody looked", async () => {
    const watched = [
      {
        username: "orders_app",
        role: "open",
        watchedSince: at(90),
        seenAt: at(2),
        servers: [
          note("db:5432", { sessions: 2, seenAt: at(2), applications: ["api\u001b[2J", "psql"] }),
          note("far:5432", { state: "missed", looks: 0, lookedAt: undefined, missedAt: at(2) }),
          note("scaled:5432", { state: "gone", lookedAt: at(4_000) }),
        ],
      },
      { username: "nobody", role: "absent", watchedSince: at(1), servers: [] },
      {
        username: "old",
        role: "shut",
        watchedSince: at(9_000),
        seenAt: at(4_000),
        servers: [note("scaled:5432", { state: "gone", lookedAt: at(4_000), seenAt: at(4_000) })],
      },
    ];
    fake.script({ body: { leases: [], foreign: 0, watched } });
    const ran = await mayflyHere(["status", ...OPERATOR], fake.env);
    expect(ran.status).toBe(0);
    expect(ran.out.replaceAll(/ +/g, " ").trim().split("\n")).toEqual([
      "WATCHED SERVER SESSIONS LAST SEEN LAST LOOK LOOKS",
      expect.stringMatching(/^orders_app db:5432 2 2m \d\ds ago 2m \d\ds ago 3$/),
      "orders_app far:5432 ? never never 0",
      "nobody - - never never 0",
      "old scaled:5432 (gone) ? 2d 18h ago 2d 18h ago 3",
    ]);
    expect(ran.err.split("\n").slice(1)).toEqual([
      "orders_app on db:5432: api\\u001b[2J, psql",
      "far:5432 could not be looked at in the last sweep: orders_app may have sessions there",
      "nobody does not exist",
      expect.stringMatching(/^nobody is watched since .*, by no sweep yet$/),
      "old may not log in",
      expect.stringMatching(/^3 users watched: the sweep looks every five minutes and can miss /),
      "",
    ]);
  });
});
