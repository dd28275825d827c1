import { beforeAll, expect, test } from "vitest";
import { eventually } from "../../support/eventually.ts";
import { type WatchedStack, watched } from "./stack.ts";

let stack: WatchedStack;
beforeAll(async () => {
  stack = await watched();
});

const eventsOf = (leaseId: string) =>
  stack.runner.busEvents.filter(({ resources }) => resources.includes(leaseId));

test("what becomes of a lease is on the bus, line for line, without its password", async () => {
  const { leaseId, password } = await stack.issue();
  await stack.ask({ action: "renew", leaseId });
  await stack.ask({ action: "revoke", leaseId });
  const events = await eventually(() => eventsOf(leaseId).length >= 4 && eventsOf(leaseId));
  // each carries its time: neither Lambda's retries nor EventBridge keep an order
  expect(events.map(({ detailType }) => detailType).toSorted()).toEqual([
    "lease.issued",
    "lease.renewed",
    "lease.revoked",
    "lease.revoking",
  ]);
  const lines = stack.runner.logs().map(({ line }) => line);
  for (const { busArn, source, detail } of events) {
    expect([busArn, source]).toEqual([
      "arn:aws:events:eu-west-1:123456789012:event-bus/audit",
      "mayfly",
    ]);
    expect(lines).toContain(detail);
    expect(detail).not.toContain(password);
  }
});

test("a sweep and a refusal are told too, and nothing that is no audit line", async () => {
  await stack.operate({ action: "sweep" });
  await stack.ask({ action: "issue", ttlSeconds: 1 });
  const kinds = () => new Set(stack.runner.busEvents.map(({ detailType }) => detailType));
  await eventually(() => kinds().has("sweep.finished") && kinds().has("request.refused"));
  for (const kind of kinds()) expect(kind).toMatch(/^(?:lease|role|request|secret|sweep)\./);
});
