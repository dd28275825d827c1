import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeEach, expect, test } from "vitest";
import type { Instant } from "../../../core/time.ts";
import { sendEvents } from "../../../lambda/aws/event-bus.ts";

const mock = mockClient(EventBridgeClient);
afterAll(() => mock.restore());
beforeEach(() => mock.reset());

const BUS = "arn:aws:events:eu-west-1:111122223333:event-bus/audit";
const event = (n: number) => ({
  detailType: "lease.issued",
  detail: JSON.stringify({ n }),
  time: 1_700_000_000_000 as Instant,
  resources: [`lease-${n}`],
});
const send = (count: number) =>
  sendEvents(
    new EventBridgeClient(),
    BUS,
    Array.from({ length: count }, (_, n) => event(n)),
  );
const sent = (): string[][] =>
  mock
    .commandCalls(PutEventsCommand)
    .map(({ args }) => (args[0].input.Entries ?? []).map(({ Detail = "" }) => Detail));

test("events arrive with their name, time and lease, from mayfly", async () => {
  mock.on(PutEventsCommand).resolves({ Entries: [{ EventId: "1" }] });
  await send(1);
  expect(mock.commandCalls(PutEventsCommand)[0]?.args[0].input.Entries).toEqual([
    {
      EventBusName: BUS,
      Source: "mayfly",
      DetailType: "lease.issued",
      Detail: '{"n":0}',
      Time: new Date(1_700_000_000_000),
      Resources: ["lease-0"],
    },
  ]);
});

test("only events that were not accepted are sent again", async () => {
  mock
    .on(PutEventsCommand)
    .resolvesOnce({ Entries: [{ EventId: "1" }, { ErrorCode: "ThrottlingException" }, {}] })
    .resolves({ Entries: [{ EventId: "2" }] });
  await send(3);
  expect(sent()).toEqual([['{"n":0}', '{"n":1}', '{"n":2}'], ['{"n":1}']]);
});

test("events refused three times are an error, so that Lambda repeats the batch", async () => {
  mock.on(PutEventsCommand).resolves({ Entries: [{ ErrorCode: "InternalFailure" }] });
  await expect(send(1)).rejects.toMatchObject({
    name: "EventBridgeUnavailableError",
    message: `1 audit events were not accepted by ${BUS}; wait and retry`,
  });
  expect(sent()).toHaveLength(3);
});

test("a bus without permission is an AwsRefusedError", async () => {
  mock.on(PutEventsCommand).rejects(Object.assign(new Error(), { name: "AccessDeniedException" }));
  await expect(send(1)).rejects.toMatchObject({ name: "AwsRefusedError" });
});
