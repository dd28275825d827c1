import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LeaseDeps, LeaseRef } from "../../core/leases/ports.ts";
import {
  parseScheduleInput,
  parseScheduleName,
  rescheduleRevocation,
  scheduleName,
  scheduleRecheck,
  scheduleRevocation,
} from "../../core/leases/schedules.ts";
import type { Instant } from "../../core/time.ts";
import { memoryScheduler } from "../support/memory-scheduler.ts";

const lease: LeaseRef = {
  oid: 16_500,
  username: "mf_abcd_01_user-service_readonly_00000000aaaabbbbcccc",
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
  const given = {
    database: "orders",
    scheduler,
    telemetry: { audit: () => {}, measure: (metric: string) => measured.push(metric) },
    time: { now: () => AT, wait: async (length: number) => void waits.push(length) },
  } as unknown as LeaseDeps;
  return { given, scheduler, waits, measured };
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
  test("is a lease id and an OID", () => {
    expect(parseScheduleInput({ leaseId, roleOid: 16_500 })).toEqual({ leaseId, roleOid: 16_500 });
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", leaseId],
    ["a lease id alone", { leaseId }],
    ["an OID alone", { roleOid: 16_500 }],
    ["no lease id", { leaseId: "x", roleOid: 16_500 }],
    ["an OID in text", { leaseId, roleOid: "16500" }],
    ["a fraction", { leaseId, roleOid: 16_500.5 }],
    ["the bootstrap superuser's OID", { leaseId, roleOid: 10 }],
    ["an OID of the system's", { leaseId, roleOid: 16_383 }],
    ["one field too many", { leaseId, roleOid: 16_500, everything: true }],
    ["a consumer's request", { action: "revoke", leaseId }],
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
    expect(await scheduleRevocation(given, lease, AT)).toBe(true);
    expect([...scheduler.schedules]).toEqual([
      ["aaaabbbbcccc-1700000001", { leaseId, roleOid: 16_500 }],
    ]);
  });

  test("that stands already is fine: it was made by an earlier attempt", async () => {
    const { given, scheduler } = deps();
    await scheduleRevocation(given, lease, AT);
    expect(await scheduleRevocation(given, lease, AT)).toBe(true);
    expect(scheduler.schedules.size).toBe(1);
  });

  test.each([
    [2, true, 3],
    [3, false, 3],
  ])("that fails %i times is made: %s", async (failures, made, tries) => {
    const { given, scheduler, waits, measured } = deps();
    scheduler.failNext(failures);
    expect(await scheduleRevocation(given, lease, AT)).toBe(made);
    expect(scheduler.creates()).toBe(tries);
    expect(waits).toEqual([100, 100]);
    expect(measured).toEqual(made ? [] : ["SchedulesFailed"]);
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

  test("is looked at once more a minute after the latch, under a name of its own", async () => {
    const { given, scheduler } = deps();
    expect(await scheduleRecheck(given, lease, AT)).toBe(true);
    expect([...scheduler.schedules.keys()]).toEqual(["aaaabbbbcccc-1700000061-recheck"]);
    const [name = ""] = scheduler.schedules.keys();
    expect(parseScheduleName(name)).toMatchObject({ random: "aaaabbbbcccc", recheck: true });
  });
});
