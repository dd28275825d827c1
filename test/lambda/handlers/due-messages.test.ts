import { expect, test } from "vitest";
import type { AuditEvent } from "../../../core/audit.ts";
import { DatabaseUnavailableError } from "../../../core/errors.ts";
import type { LeaseRef } from "../../../core/leases/lease.ts";
import type { Engine, LatchOutcome, LeaseDeps } from "../../../core/leases/lease-ports.ts";
import {
  recordsIn,
  revokeMessages,
  scheduleInputOf,
} from "../../../lambda/handlers/due-messages.ts";

const usernameOf = (letter: string): string =>
  `mf_abcd_readonly_user-service_00000000ab${letter.repeat(12)}`;
const inputOf = (letter: string) => ({
  leaseId: `orders/readonly/${usernameOf(letter)}`,
  incarnation: "16500",
});
const record = (messageId: string, body: unknown) => ({
  messageId,
  body: typeof body === "string" ? body : JSON.stringify(body),
  eventSource: "aws:sqs",
});

const LOCKED: LatchOutcome = { kind: "failed", step: "latch", code: "55P03", passes: true };

/** A database without any role, or with what is said of some; without an answer if `down`. */
function world({
  found = {},
  down,
}: {
  readonly found?: Readonly<Record<string, LatchOutcome>>;
  readonly down?: Error;
} = {}) {
  const lines: (readonly [string, object])[] = [];
  const audit: AuditEvent[] = [];
  const measured: string[] = [];
  /** The leases of each call. */
  const latched: (readonly string[])[] = [];
  const telemetry = {
    audit: (event: AuditEvent) => void audit.push(event),
    measure: (metric: string) => void measured.push(metric),
  };
  const log = (line: string, facts: object): void => void lines.push([line, facts]);
  const engine: Pick<Engine, "latch" | "endSessions" | "drop"> = {
    latch: async (leases) => {
      if (down !== undefined) throw down;
      latched.push(leases.map(({ username }) => username));
      return leases.map(({ username }) => found[username] ?? { kind: "gone" });
    },
    endSessions: async (roles) =>
      roles.map(() => ({ server: "writer:5432", ended: 0, remaining: 0 })),
    drop: async (leases: readonly LeaseRef[]) => leases.map(() => ({ kind: "gone" })),
  };
  const deps = {
    database: "orders",
    tag: "abcd",
    engine,
    readers: { list: async () => [] },
    telemetry,
    time: { now: () => 0, wait: async () => {} },
  } as unknown as LeaseDeps;
  const logger = { warn: log, error: log } as never;
  return { given: { deps, telemetry, logger, requestId: "r-1" }, lines, audit, measured, latched };
}

test("every processed message is deleted, and has its own audit line", async () => {
  const { given, audit, lines, latched } = world();
  const records = [record("m1", inputOf("a")), record("m2", inputOf("b"))];
  expect(await revokeMessages(given, records)).toEqual({ batchItemFailures: [] });
  expect(audit.map(({ event, leaseId, actor }) => [event, leaseId, actor])).toEqual([
    ["lease.gone", inputOf("a").leaseId, "schedule"],
    ["lease.gone", inputOf("b").leaseId, "schedule"],
  ]);
  expect(lines).toEqual([]);
  expect(latched).toEqual([[usernameOf("a"), usernameOf("b")]]);
});

test("a failed revocation's message is delivered again, its lease is logged, and others succeed", async () => {
  const { given, audit, lines, measured } = world({
    found: { [usernameOf("b")]: LOCKED },
  });
  const records = ["a", "b", "c"].map((letter) => record(`m-${letter}`, inputOf(letter)));
  expect(await revokeMessages(given, records)).toEqual({
    batchItemFailures: [{ itemIdentifier: "m-b" }],
  });
  const { leaseId } = inputOf("b");
  const [first, second, failed] = audit;
  expect([first?.leaseId, second?.leaseId]).toEqual([inputOf("a").leaseId, inputOf("c").leaseId]);
  expect(failed).toMatchObject({
    event: "lease.failed",
    leaseId,
    actor: "schedule",
    errorType: "DatabaseUnavailableError",
    reason: `lease ${leaseId} could not be latched (step "latch", code 55P03); call again`,
  });
  expect(lines).toEqual([]);
  expect(measured).toEqual(["RequestsFailed"]);
});

test("without a database every message is delivered again, and no driver text is logged", async () => {
  const driver = Object.assign(new Error("terminating: select 'secret'"), { where: "secret" });
  const records = ["a", "b"].map((letter) => record(`m-${letter}`, inputOf(letter)));
  const all = { batchItemFailures: [{ itemIdentifier: "m-a" }, { itemIdentifier: "m-b" }] };
  const unexpected = world({ down: driver });
  expect(await revokeMessages(unexpected.given, records)).toEqual(all);
  expect(unexpected.audit).toEqual(
    ["a", "b"].map((letter) =>
      expect.objectContaining({
        event: "lease.failed",
        errorType: "InternalError",
        frames: expect.arrayContaining([expect.stringMatching(/^\s+at /)]),
        leaseId: inputOf(letter).leaseId,
      }),
    ),
  );
  expect(JSON.stringify(unexpected.audit)).not.toContain("secret");
  const away = world({ down: new DatabaseUnavailableError("the database does not answer; wait") });
  expect(await revokeMessages(away.given, records)).toEqual(all);
  expect(away.audit).toHaveLength(2);
  expect(away.measured).toEqual(["RequestsFailed", "RequestsFailed"]);
});

test.each<[string, LatchOutcome, string]>([
  [
    "a role that only looks like a lease",
    { kind: "foreign", why: "it owns the place" },
    "ForeignRoleError",
  ],
  ["another life of the name", { kind: "other" }, "InvalidRequestError"],
])("%s is refused once: its message does not come again", async (_what, outcome, errorType) => {
  const { given, audit, measured } = world({ found: { [usernameOf("a")]: outcome } });
  const records = [record("m-a", inputOf("a")), record("m-b", inputOf("b"))];
  expect(await revokeMessages(given, records)).toEqual({ batchItemFailures: [] });
  expect(audit).toContainEqual(
    expect.objectContaining({
      event: "lease.failed",
      errorType,
      reason: expect.stringContaining(usernameOf("a")),
      leaseId: inputOf("a").leaseId,
    }),
  );
  expect(measured).toEqual(["RequestsRefused"]);
});

test("a message that the database rejects is delivered again", async () => {
  const refused: LatchOutcome = { kind: "failed", step: "latch", code: "42501", passes: false };
  const { given, audit, measured } = world({ found: { [usernameOf("a")]: refused } });
  const { batchItemFailures } = await revokeMessages(given, [record("m-a", inputOf("a"))]);
  expect(batchItemFailures).toEqual([{ itemIdentifier: "m-a" }]);
  expect(audit).toEqual([
    expect.objectContaining({
      event: "lease.failed",
      errorType: "StatementRejectedError",
      reason: expect.stringMatching(/rejected step "latch" \(code 42501\); mayfly converge gives/),
    }),
  ]);
  expect(measured).toEqual(["RequestsRefused"]);
});

test.each([
  ["no JSON", "{"],
  ["nothing", ""],
  ["no lease", { leaseId: "x", incarnation: "16500" }],
  ["more than a schedule's input", { ...inputOf("a"), password: "hunter2" }],
  ["a second look at nothing", { recheck: [] }],
  ["a second look at something else", { recheck: [inputOf("a"), { leaseId: "x" }] }],
])("a message with %s is refused once, and does not come again", async (_what, body) => {
  const { given, lines, measured } = world();
  const answer = await revokeMessages(given, [record("m1", body), record("m2", inputOf("b"))]);
  expect(answer).toEqual({ batchItemFailures: [] });
  expect(lines).toEqual([
    [
      "request.refused",
      {
        errorType: "InvalidRequestError",
        reason: expect.stringMatching(/ is not the input of a lease's schedule; send /),
        messageId: "m1",
      },
    ],
  ]);
  expect(JSON.stringify(lines)).not.toContain("hunter2");
  expect(measured).toEqual(["RequestsRefused"]);
});

test("a message without time left is delivered again, with an OutOfTimeError", async () => {
  const { given, audit } = world();
  const records = ["a", "b"].map((letter) => record(`m-${letter}`, inputOf(letter)));
  const answer = await revokeMessages(given, records, { mayContinue: () => false });
  expect(answer).toEqual({
    batchItemFailures: [{ itemIdentifier: "m-a" }, { itemIdentifier: "m-b" }],
  });
  expect(audit).toEqual(
    records.map(() =>
      expect.objectContaining({
        event: "lease.failed",
        errorType: "OutOfTimeError",
        reason: expect.stringContaining("no time"),
      }),
    ),
  );
});

test("one lease twice in a batch is revoked once, and both messages are done", async () => {
  const { given, audit, latched } = world();
  const twice = [record("m1", inputOf("a")), record("m2", inputOf("a"))];
  expect(await revokeMessages(given, twice)).toEqual({ batchItemFailures: [] });
  expect(audit).toHaveLength(1);
  expect(latched).toEqual([[usernameOf("a")]]);
});

test("if a lease with two messages fails, both are delivered again", async () => {
  const { given } = world({ found: { [usernameOf("a")]: LOCKED } });
  const twice = [record("m1", inputOf("a")), record("m2", inputOf("a"))];
  expect(await revokeMessages(given, twice)).toEqual({
    batchItemFailures: [{ itemIdentifier: "m1" }, { itemIdentifier: "m2" }],
  });
});

test("one message holds the second check of several leases, and is processed with other messages", async () => {
  const { given, audit, latched } = world();
  const records = [
    record("m1", { recheck: [inputOf("a"), inputOf("b")] }),
    record("m2", inputOf("c")),
  ];
  expect(await revokeMessages(given, records)).toEqual({ batchItemFailures: [] });
  expect(audit.map(({ leaseId }) => leaseId)).toEqual(
    ["a", "b", "c"].map((letter) => inputOf(letter).leaseId),
  );
  expect(latched).toEqual([["a", "b", "c"].map(usernameOf)]);
});

test("the message of a second check is delivered again if one lease fails", async () => {
  const { given, audit } = world({ found: { [usernameOf("b")]: LOCKED } });
  const records = [record("m1", { recheck: [inputOf("a"), inputOf("b")] })];
  expect(await revokeMessages(given, records)).toEqual({
    batchItemFailures: [{ itemIdentifier: "m1" }],
  });
  expect(audit).toContainEqual(
    expect.objectContaining({ event: "lease.failed", leaseId: inputOf("b").leaseId }),
  );
});

test.each([
  ["a direct input", inputOf("a")],
  ["no event", null],
  ["no records", { Records: [] }],
  ["another source's records", { Records: [{ eventSource: "aws:sns", messageId: "m", body: "" }] }],
  ["no list", { Records: "many" }],
])("%s is not taken for messages of a queue", (_what, event) => {
  expect(recordsIn(event)).toBeUndefined();
});

test("messages of a queue are recognised, and a direct input is a schedule's or refused", () => {
  const records = [record("m1", inputOf("a"))];
  expect(recordsIn({ Records: records })).toEqual(records);
  const second = { recheck: [inputOf("a"), inputOf("b")] };
  for (const input of [inputOf("a"), second]) expect(scheduleInputOf(input)).toEqual(input);
  expect(() => scheduleInputOf({ Records: [] })).toThrow(
    '(an object) is not the input of a lease\'s schedule; send {"leaseId", "incarnation"}',
  );
});
