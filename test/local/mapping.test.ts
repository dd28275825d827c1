import { CreateScheduleCommand } from "@aws-sdk/client-scheduler";
import { Duration } from "aws-cdk-lib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { failedMessages } from "../../local/sqs/queue-event.ts";
import { eventually } from "../support/eventually.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { type MappingAppOptions, synthesizeMapping } from "./mapping-app.ts";
import type { SynthesizedApp } from "./small-app.ts";

/** Milliseconds. */
const VISIBILITY = 6 * 60_000;

interface Batch {
  readonly Records: readonly {
    readonly messageId: string;
    readonly body: string;
    readonly attributes: Readonly<Record<string, string>>;
  }[];
}

let app: SynthesizedApp;
let runner: Runner;
let administrator: Clients;
beforeAll(async () => {
  app = synthesizeMapping();
  runner = await startRunner({ assembly: app.assembly });
  administrator = clientsOf(runner, "administrator");
});
afterAll(async () => {
  await runner.stop();
  app.remove();
});
afterEach(() => eventually(() => runner.queueMessages(output("QueueArn")).length === 0));

const output = (name: string): string => runner.outputs[name] ?? `no output ${name}`;

let names = 0;

/** Send bodies by schedules, as the sender unless told, all of them in one whole second. */
async function send(
  bodies: readonly object[],
  changes: { RoleArn?: string; Arn?: string } = {},
): Promise<void> {
  const RoleArn = output("SenderArn");
  const Target = {
    Arn: output("QueueArn"),
    RetryPolicy: { MaximumRetryAttempts: 1 },
    DeadLetterConfig: { Arn: output("UndeliveredArn") },
  };
  const create = (body: object, at: number) =>
    administrator.scheduler.send(
      new CreateScheduleCommand({
        Name: `message-${names++}`,
        GroupName: "group",
        ScheduleExpression: `at(${new Date(at).toISOString().slice(0, 19)})`,
        FlexibleTimeWindow: { Mode: "OFF" },
        ActionAfterCompletion: "DELETE",
        Target: { ...Target, RoleArn, Input: JSON.stringify(body), ...changes },
      }),
    );
  // one that is late is refused: one that is never sent tells how long it takes here and now
  const began = Date.now();
  await create({}, began + 86_400_000);
  const takes = Date.now() - began;
  const enough = 300 + bodies.length * Math.max(50, 3 * takes);
  const at = Math.ceil((Date.now() + enough) / 1_000) * 1_000;
  for (const body of bodies) await create(body, at);
}

const lines = (start: string): string[] =>
  runner
    .logs(output("WorkerName"))
    .flatMap(({ line }) => (line.includes(`${start} `) ? [line.slice(line.indexOf(start))] : []));

/** Batches with this word in a message. */
const batchesOf = (word: string): Batch["Records"][] =>
  lines("batch")
    .filter((line) => line.includes(word))
    .map((line) => (JSON.parse(line.slice("batch ".length)) as Batch).Records);

const deliveriesOf = (word: string): string[] =>
  batchesOf(word)
    .flat()
    .filter(({ body }) => body.includes(word))
    .map(({ attributes }) => attributes.ApproximateReceiveCount ?? "");

/** Let a visibility timeout pass. */
const pass = (): Promise<void> => runner.rotations.advance(VISIBILITY);

test("a schedule's message reaches the function in AWS's words, and is deleted", async () => {
  await send([{ id: "first" }]);
  const [[record] = []] = await eventually(() => {
    const found = batchesOf("first");
    return found.length > 0 && found;
  });
  expect(record).toEqual({
    messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    receiptHandle: expect.any(String),
    body: '{"id":"first"}',
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: expect.stringMatching(/^\d{13}$/),
      SenderId: expect.stringMatching(/^AROA\w+:scheduler$/),
      ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
    },
    messageAttributes: {},
    md5OfBody: "b83711d5bf3e80be8614780e9c1bf21a",
    eventSource: "aws:sqs",
    eventSourceARN: output("QueueArn"),
    awsRegion: "eu-west-1",
  });
  await eventually(() => runner.queueMessages(output("QueueArn")).length === 0);
});

test("a message that fails comes again alone, when nobody works at it any more", async () => {
  await send([{ id: "alone-1" }, { id: "alone-2", do: "fail" }, { id: "alone-3" }]);
  const left = '{"id":"alone-2","do":"fail"}';
  await eventually(() => runner.queueMessages(output("QueueArn")).join() === left);
  await pass();
  await eventually(() => deliveriesOf("alone-2").length === 2);
  expect(deliveriesOf("alone-2")).toEqual(["1", "2"]);
  expect(deliveriesOf("alone-1")).toEqual(["1"]);
  await toTheDead("alone-2");
});

test.each(["throw", "badly"])(
  "a batch whose function ends in %s comes again whole",
  async (what) => {
    const ids = [`${what}-a`, `${what}-b`];
    await send([{ id: ids[0] }, { id: ids[1], do: what }]);
    await eventually(() => deliveriesOf(`${what}-`).length === 2);
    await pass();
    await eventually(() => deliveriesOf(`${what}-`).length === 4);
    for (const id of ids) expect(deliveriesOf(id)).toEqual(["1", "2"]);
    await toTheDead(`${what}-b`);
  },
);

/** Let visibility timeouts pass until a message is among the dead letters. */
async function toTheDead(word: string): Promise<void> {
  await eventually(async () => {
    await pass();
    return runner.queueMessages(output("DeadArn")).some((body) => body.includes(word));
  });
}

test("a message that was given out three times is a dead letter", async () => {
  await send([{ id: "poison", do: "fail" }]);
  await eventually(() => deliveriesOf("poison").length === 1);
  for (const count of [2, 3]) {
    await pass();
    await eventually(() => deliveriesOf("poison").length === count);
  }
  expect(runner.queueMessages(output("DeadArn")).join()).not.toContain("poison");
  await toTheDead("poison");
  expect(deliveriesOf("poison")).toEqual(["1", "2", "3"]);
});

test("no more than two batches are at work, however many wait", async () => {
  const before = lines("done").length;
  await send(Array.from({ length: 20 }, (_, each) => ({ id: `busy-${each}`, do: "wait" })));
  await eventually(() => deliveriesOf("busy-").length === 20 && lines("done").length > before + 4);
  let atWork = 0;
  let most = 0;
  for (const { line } of runner.logs(output("WorkerName"))) {
    if (line.includes("batch ") && line.includes("busy-")) atWork += 1;
    if (line.includes("done 4")) atWork = Math.max(0, atWork - 1);
    most = Math.max(most, atWork);
  }
  expect(most).toBe(2);
});

test("only the sender fills the queue, and what is refused is in the schedule's dead letters", async () => {
  await send([{ id: "strange" }], { RoleArn: output("OutsiderArn") });
  const attributes = await eventually(() =>
    runner
      .queueAttributes(output("UndeliveredArn"))
      .find((each) => each.TARGET_ARN === output("QueueArn")),
  );
  expect(attributes).toMatchObject({
    ERROR_CODE: "AccessDeniedException",
    ERROR_MESSAGE: expect.stringContaining(
      "sqs:SendMessage on resource: arn:aws:sqs:eu-west-1:123456789012:Small-Work",
    ),
    EXHAUSTED_RETRY_CONDITION: "MaximumRetryAttempts",
  });
  expect(batchesOf("strange")).toEqual([]);
});

test("a schedule for a queue that is not there ends in its dead letters", async () => {
  await send([{ id: "astray" }], { Arn: `${output("QueueArn")}-gone` });
  const attributes = await eventually(() =>
    runner
      .queueAttributes(output("UndeliveredArn"))
      .find((each) => each.TARGET_ARN?.endsWith("-gone")),
  );
  expect(attributes).toMatchObject({ ERROR_CODE: "QueueDoesNotExist" });
});

describe("an update", () => {
  test("lets a batch wait longer, which is handed over as soon as it is full", async () => {
    const patient = synthesizeMapping({ mapping: { maximumBatchingWindowInSeconds: 300 } });
    await runner.update(patient.assembly);
    patient.remove();
    await send([1, 2, 3, 4].map((each) => ({ id: `full-${each}` })));
    await eventually(() => batchesOf("full-").length > 0);
    expect(batchesOf("full-").map((batch) => batch.length)).toEqual([4]);
    await runner.update(app.assembly);
  });

  test("changes a mapping in place, stops and starts it", async () => {
    const off = synthesizeMapping({ mapping: { enabled: false } });
    await runner.update(off.assembly);
    off.remove();
    await send([{ id: "later" }]);
    await eventually(() => runner.queueMessages(output("QueueArn")).length === 1);
    await runner.update(app.assembly);
    await eventually(() => deliveriesOf("later").length === 1);
  });
});

describe("what AWS refuses, the stack's creation refuses", () => {
  const refused = async (options: MappingAppOptions): Promise<string> => {
    const refusedApp = synthesizeMapping(options);
    try {
      await (await startRunner({ assembly: refusedApp.assembly })).stop();
      return "it started";
    } catch (error) {
      return (error as Error).message;
    } finally {
      refusedApp.remove();
    }
  };

  test.each(["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"])(
    "a function that may not %s",
    async (missing) => {
      const all = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];
      const actions = all.filter((each) => each !== missing).map((each) => `sqs:${each}`);
      expect(await refused({ actions })).toContain(
        `The function execution role does not have permissions to call ${missing} on SQS`,
      );
    },
  );

  test.each<[string, MappingAppOptions, string]>([
    [
      "messages that show again while they are worked at",
      { visibilityTimeout: Duration.seconds(19) },
      "Queue visibility timeout: 19 seconds is less than Function timeout: 20 seconds",
    ],
    [
      "a large batch without a window",
      { mapping: { batchSize: 11, maximumBatchingWindowInSeconds: 0 } },
      "Maximum batch window in seconds must be greater than 0",
    ],
    [
      "a concurrency of one",
      { mapping: { scalingConfig: { maximumConcurrency: 1 } } },
      "MaximumConcurrency must be 2 to 1000, got 1",
    ],
    [
      "what the runner does not have",
      { mapping: { filterCriteria: { filters: [{ pattern: "{}" }] } } },
      "the local runner has event source mappings of queues, without FilterCriteria",
    ],
  ])("%s", async (_what, options, message) => {
    expect(await refused(options)).toContain(message);
  });
});

describe("of an answer that reports failures", () => {
  const messages = [{ messageId: "a" }, { messageId: "b" }];
  const list = (...ids: unknown[]) =>
    JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });

  test.each([
    ["nothing", "", []],
    ["null", "null", []],
    ["an empty object", "{}", []],
    ["no list", '{"batchItemFailures":null}', []],
    ["an empty list", list(), []],
    ["one message", list("b"), ["b"]],
    ["a message of another batch", list("b", "c"), ["a", "b"]],
    ["an empty name", list(""), ["a", "b"]],
    ["no name", list(null), ["a", "b"]],
    ["another key", '{"batchItemFailures":[{"id":"a"}]}', ["a", "b"]],
    ["a text instead of a list", '{"batchItemFailures":"a"}', ["a", "b"]],
    ["no object", '"fine"', ["a", "b"]],
    ["no JSON", "fine", ["a", "b"]],
  ])("%s: the right messages come again", (_what, payload, expected) => {
    expect([...failedMessages(payload, messages)]).toEqual(expected);
  });
});
