import { App } from "aws-cdk-lib";
import { EventBus } from "aws-cdk-lib/aws-events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { type DynamicDatabase, MayflyStack } from "../../lib/index.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import shipped from "../../mayfly.config.ts";
import { eventually } from "../support/eventually.ts";
import { type ShippedStack, startShipped } from "../support/stack.ts";

const { path: outdir, remove } = tempFolder("events");
let stack: ShippedStack;

beforeAll(async () => {
  const app = new App({ outdir });
  const made = new MayflyStack(app, "Mayfly", { config: parseConfig(shipped) });
  const database = made.node.findChild("orders") as DynamicDatabase;
  database.sendAuditEvents({ bus: new EventBus(made, "Bus", { eventBusName: "audit" }) });
  app.synth();
  stack = await startShipped({ assembly: outdir });
  await stack.runner.rotations.finished();
});
afterAll(async () => {
  await stack?.stop();
  remove();
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
