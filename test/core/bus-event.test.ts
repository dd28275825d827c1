import fc from "fast-check";
import { expect, test } from "vitest";
import { type BusEvent, batchesOf, busEventsIn } from "../../core/bus-event.ts";
import type { Instant } from "../../core/time.ts";

const line = (message: string, more = {}): string => JSON.stringify({ message, ...more });
const batch = (...messages: string[]) => ({
  messageType: "DATA_MESSAGE",
  logEvents: messages.map((message, i) => ({ timestamp: 1_000 + i, message })),
});

test("an audit line is an event by its name, with the line as it is and its lease", () => {
  const revoked = line("lease.revoked", { leaseId: "orders/readonly/mf_x", receipt: { a: 1 } });
  expect(busEventsIn(batch(revoked, line("sweep.finished")))).toEqual([
    {
      detailType: "lease.revoked",
      detail: revoked,
      time: 1_000,
      resources: ["orders/readonly/mf_x"],
    },
    { detailType: "sweep.finished", detail: line("sweep.finished"), time: 1_001, resources: [] },
  ]);
});

test.each([
  ["a platform's line", "START RequestId: 1 Version: 1"],
  ["a line of something else", line("unexpected failure")],
  ["a metric", JSON.stringify({ _aws: {}, LeasesIssued: 1 })],
  ["a name that only contains one", line("a lease.issued")],
  ["JSON that is no object", "null"],
  ["a malformed message", JSON.stringify({ message: 5 })],
])("%s is no event", (_, message) => {
  expect(busEventsIn(batch(message))).toEqual([]);
});

test("a control message of CloudWatch Logs is not an event", () => {
  expect(busEventsIn({ ...batch(line("lease.issued")), messageType: "CONTROL_MESSAGE" })).toEqual(
    [],
  );
});

test("batches keep every event, in order, within ten entries and 256 KiB", () => {
  const event = fc.record({
    detailType: fc.constantFrom("lease.issued", "lease.revoked"),
    detail: fc.nat({ max: 300_000 }).map((length) => "x".repeat(length)),
    time: fc.constant(0 as Instant),
    resources: fc.array(fc.string(), { maxLength: 1 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events: BusEvent[]) => {
      const batches = batchesOf(events);
      expect(batches.flat()).toEqual(events);
      for (const each of batches) {
        expect(each.length).toBeLessThanOrEqual(10);
        const bytes = each.reduce((sum, { detail }) => sum + detail.length, 0);
        expect(each.length === 1 || bytes < 262_144).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});
