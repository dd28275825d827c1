import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AuditEvent } from "../../core/audit.ts";
import type { LeaseRef } from "../../core/leases/lease.ts";
import type { LeaseDeps } from "../../core/leases/lease-ports.ts";
import {
  MAX_RECHECKED,
  parseScheduleInput,
  parseScheduleName,
  rescheduleRevocation,
  scheduleName,
  scheduleRecheck,
  scheduleRevocation,
} from "../../core/leases/revocation/schedules.ts";
import type { Instant } from "../../core/time.ts";
import { memoryScheduler } from "../support/memory-scheduler.ts";

const lease: LeaseRef = {
  incarnation: "16500",
  username: "mf_abcd_readonly_user-service_00000000abaaaabbbbcccc",
  name: {
    tag: "abcd",
    shard: 1,
    consumer: "user-service",
    role: "readonly",
    digest: "00000000",
    random: "aaaabbbbcccc",
  },
};
const leaseId = `orders/readonly/${lease.username}`;
const AT = 1_700_000_000_001 as Instant;

function deps() {
  const scheduler = memoryScheduler();
  const waits: number[] = [];
  const measured: string[] = [];
  const audit: AuditEvent[] = [];
  const given = {
    database: "orders",
    scheduler,
    telemetry: {
      audit: (event: AuditEvent) => audit.push(event),
      measure: (metric: string) => measured.push(metric),
    },
    time: { now: () => AT, wait: async (length: number) => void waits.push(length) },
  } as unknown as LeaseDeps;
  return { given, scheduler, waits, measured, audit };
}

describe("a schedule's name", () => {
  test("is the lease's random end and the second, and is read back", () => {
    expect(scheduleName(lease.name, 1_700_000_001)).toBe("aaaabbbbcccc-1700000001");
    fc.assert(
      fc.property(fc.nat(), (second) => {
        expect(parseScheduleName(scheduleName(lease.name, second))).toEqual({
          random: "aaaabbbbcccc",
          atEpochSeconds: second,
          recheck: false,
        });
      }),
    );
  });

  test.each([
    "",
    "sweep",
    "aaaabbbbcccc",
    "aaaabbbbcccc-",
    "aaaabbbbccc-1",
    "aaaabbbbcccc-1.5",
    "aaaabbbbcccc--1",
    "aaaabbbbcccc-1-recheck-",
    "aaaabbbbcccc-1-again",
    "AAAABBBBCCCC-1",
    "aaaabbbbccc1-1",
    "aaaabbbbcccc-1\n",
    " aaaabbbbcccc-1",
    `aaaabbbbcccc-${"1".repeat(13)}`,
  ])("is not %j", (name) => {
    expect(parseScheduleName(name)).toBeUndefined();
  });
});

describe("what a schedule carries", () => {
  const whole = { leaseId, incarnation: "16500" };

  test("is a lease id and an incarnation", () => {
    expect(parseScheduleInput(whole)).toEqual(whole);
  });

  test("is up to 250 of them, where it is a second look", () => {
    for (const count of [1, 2, MAX_RECHECKED]) {
      const input = { recheck: Array.from({ length: count }, () => whole) };
      expect(parseScheduleInput(JSON.parse(JSON.stringify(input)))).toEqual(input);
    }
  });

  test("fits the 256 KiB that a schedule's input and a message may have, at its largest", () => {
    const longest = `${"d".repeat(32)}/${"r".repeat(14)}/mf_abcd_${"r".repeat(14)}_${"c".repeat(16)}_aaaaaaaa77${"x".repeat(12)}`;
    const one = { leaseId: longest, incarnation: "4294967295" };
    expect(parseScheduleInput(one)).toEqual(one);
    const input = { recheck: Array.from({ length: MAX_RECHECKED }, () => one) };
    expect(Buffer.byteLength(JSON.stringify(input))).toBeLessThan(256 * 1_024);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", leaseId],
    ["a lease id alone", { leaseId }],
    ["an incarnation alone", { incarnation: "16500" }],
    ["no lease id", { leaseId: "x", incarnation: "16500" }],
    ["an incarnation that is a number", { leaseId, incarnation: 16_500 }],
    ["an empty incarnation", { leaseId, incarnation: "" }],
    ["an incarnation of 41 characters", { leaseId, incarnation: "1".repeat(41) }],
    ["an incarnation that would be a name in a log", { leaseId, incarnation: "1\n{}" }],
    ["one field too many", { ...whole, everything: true }],
    ["a consumer's request", { action: "revoke", leaseId }],
    ["a second look at nothing", { recheck: [] }],
    ["a second look at 251", { recheck: Array.from({ length: 251 }, () => whole) }],
    ["a second check of a malformed lease", { recheck: [whole, { ...whole, leaseId: "x" }] }],
    ["a second look at null", { recheck: [whole, null] }],
    ["a second look that is no list", { recheck: whole }],
    ["a second look within another", { recheck: [{ recheck: [whole] }] }],
    ["a second look and a lease", { recheck: [whole], ...whole }],
  ])("is not %s", (_, value) => {
    expect(parseScheduleInput(value)).toBeUndefined();
  });

  test("is read from anything without an error", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(parseScheduleInput(value)).toBeUndefined();
      }),
    );
  });
});

describe("the schedule of a revocation", () => {
  test("stands at the first whole second at or after the expiry", async () => {
    const { given, scheduler } = deps();
    expect(await scheduleRevocation(given, lease, AT)).toBeUndefined();
    expect([...scheduler.schedules]).toEqual([
      ["aaaabbbbcccc-1700000001", { leaseId, incarnation: "16500" }],
    ]);
  });

  test("that exists already is accepted: an earlier attempt created it", async () => {
    const { given, scheduler } = deps();
    await scheduleRevocation(given, lease, AT);
    expect(await scheduleRevocation(given, lease, AT)).toBeUndefined();
    expect(scheduler.schedules.size).toBe(1);
  });

  test.each([
    [2, true, 3],
    [3, false, 3],
  ])("that fails %i times is made: %s", async (failures, made, tries) => {
    const { given, scheduler, waits, measured, audit } = deps();
    scheduler.failNext(failures);
    const expected = {
      errorType: "SchedulerUnavailableError",
      reason: "the scheduler is down; wait and retry",
    };
    expect(await scheduleRevocation(given, lease, AT)).toEqual(made ? undefined : expected);
    expect(scheduler.creates()).toBe(tries);
    expect(waits).toEqual([100, 100]);
    expect(measured).toEqual(made ? [] : ["SchedulesFailed"]);
    const schedule = "aaaabbbbcccc-1700000001";
    expect(audit).toEqual(
      made ? [] : [{ event: "schedule.failed", leaseId, schedule, ...expected }],
    );
  });

  test("after one that has fired takes the next second when its name is still taken", async () => {
    const { given, scheduler } = deps();
    await scheduleRevocation(given, lease, AT);
    const now = (AT - 30_000) as Instant;
    expect(await rescheduleRevocation(given, lease, AT, now)).toBe(true);
    expect([...scheduler.schedules.keys()]).toEqual([
      "aaaabbbbcccc-1700000001",
      "aaaabbbbcccc-1700000002",
    ]);
  });

  test("whose name is taken long before the expiry was made by another delivery", async () => {
    const { given, scheduler } = deps();
    await scheduleRevocation(given, lease, AT);
    const now = (AT - 3_600_000) as Instant;
    expect(await rescheduleRevocation(given, lease, AT, now)).toBe(true);
    expect(scheduler.schedules.size).toBe(1);
  });

  test("of a second check is a minute after the latch, with another name", async () => {
    const { given, scheduler } = deps();
    expect(await scheduleRecheck(given, [{ lease, latchedAt: AT, seenAt: AT }])).toBeUndefined();
    expect([...scheduler.schedules.keys()]).toEqual(["aaaabbbbcccc-1700000061-recheck"]);
    const [name = ""] = scheduler.schedules.keys();
    expect(parseScheduleName(name)).toMatchObject({ random: "aaaabbbbcccc", recheck: true });
  });

  test("of a second check fires a minute after every server has the latch, and is named after the last latch", async () => {
    const { given, scheduler } = deps();
    const fires: number[] = [];
    const create: typeof scheduler.create = (schedule, second, input) => {
      fires.push(second);
      return scheduler.create(schedule, second, input);
    };
    const counted = { ...given, scheduler: { ...given.scheduler, create } };
    const name = { ...lease.name, random: "ddddeeeeffff" };
    const at = (ms: number) => (AT + ms) as Instant;
    await scheduleRecheck(counted, [
      { lease, latchedAt: at(0), seenAt: at(9000) },
      { lease: { ...lease, name }, latchedAt: at(500), seenAt: at(1500) },
    ]);
    expect([...scheduler.schedules.keys()]).toEqual(["ddddeeeeffff-1700000061-recheck"]);
    expect(fires).toEqual([1700000070]);
    await scheduleRecheck(counted, []);
    expect(scheduler.schedules.size).toBe(1);
  });

  test("of a second check is made for leases that the one of the same name does not have", async () => {
    const { given, scheduler } = deps();
    const username = lease.username.replace("aaaabbbbcccc", "ddddeeeeffff");
    const late = { ...lease, username, name: { ...lease.name, random: "ddddeeeeffff" } };
    const first = { lease, latchedAt: AT, seenAt: AT };
    await scheduleRecheck(given, [first]);
    // latched with it, and dropped by another attempt alone: a session was left on it
    await scheduleRecheck(given, [first, { lease: late, latchedAt: AT, seenAt: AT }]);
    expect([...scheduler.schedules]).toEqual([
      ["aaaabbbbcccc-1700000061-recheck", { recheck: [{ leaseId, incarnation: "16500" }] }],
      [
        "ddddeeeeffff-1700000061-recheck",
        { recheck: [{ leaseId: `orders/readonly/${username}`, incarnation: "16500" }] },
      ],
    ]);
  });

  test("of a second check that cannot be created is logged with its reason", async () => {
    const { given, audit } = deps();
    const create = () => Promise.reject(new TypeError("with some secret text"));
    const broken = { ...given, scheduler: { ...given.scheduler, create } };
    const expected = { errorType: "InternalError", reason: expect.stringMatching(/\(TypeError\)/) };
    expect(await scheduleRecheck(broken, [{ lease, latchedAt: AT, seenAt: AT }])).toEqual(expected);
    const schedule = "aaaabbbbcccc-1700000061-recheck";
    expect(audit).toEqual([
      { event: "schedule.failed", schedule, ...expected, frames: expect.arrayContaining([]) },
    ]);
    expect(JSON.stringify(audit)).not.toContain("secret text");
  });

  test("looks again at all leases that were dropped together, by one schedule that carries them", async () => {
    const { given, scheduler } = deps();
    const username = lease.username.replace("aaaabbbbcccc", "ddddeeeeffff");
    const name = { ...lease.name, random: "ddddeeeeffff" };
    const other = { username, name, incarnation: "16501" };
    await scheduleRecheck(
      given,
      [lease, other].map((each) => ({ lease: each, latchedAt: AT, seenAt: AT })),
    );
    const carried = [
      { leaseId, incarnation: "16500" },
      { leaseId: `orders/readonly/${username}`, incarnation: "16501" },
    ];
    expect([...scheduler.schedules.values()]).toEqual([{ recheck: carried }]);
  });
});
