import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  DeleteScheduleCommand,
  DeleteScheduleGroupCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
} from "@aws-sdk/client-scheduler";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { eventually } from "../support/eventually.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

let app: SynthesizedApp;
let runner: Runner;
let administrator: Clients;

const output = (name: string): string => runner.outputs[name] ?? `no output ${name}`;

beforeAll(async () => {
  app = synthesize();
  runner = await startRunner({ assembly: app.assembly, duplicateDeliveries: true });
  administrator = clientsOf(runner, "administrator");
});

afterAll(async () => {
  await runner.stop();
  app.remove();
});

const GroupName = "small-group";

/** A whole second, at least so many seconds ahead. */
const secondIn = (seconds: number): number => (Math.ceil(Date.now() / 1_000) + seconds) * 1_000;
const expressionOf = (at: number): string => `at(${new Date(at).toISOString().slice(0, 19)})`;

function schedule(
  name: string,
  changes: Omit<Partial<CreateScheduleCommandInput>, "Target"> & {
    Target?: Partial<CreateScheduleCommandInput["Target"]>;
  } = {},
): CreateScheduleCommand {
  return new CreateScheduleCommand({
    Name: name,
    GroupName,
    ScheduleExpression: expressionOf(secondIn(3_600)),
    FlexibleTimeWindow: { Mode: "OFF" },
    ActionAfterCompletion: "DELETE",
    ...changes,
    Target: {
      Arn: output("EchoArn"),
      RoleArn: output("TargetRoleArn"),
      Input: JSON.stringify({ schedule: name }),
      ...changes.Target,
    },
  });
}

const create = (command: CreateScheduleCommand, clients = administrator) =>
  clients.scheduler.send(command);

/**
 * Create a schedule that fires soon; later, if this machine was too slow for it.
 *
 * @returns its second.
 */
async function createSoon(
  name: string,
  { ahead = 1, ...changes }: Parameters<typeof schedule>[1] & { ahead?: number } = {},
): Promise<number> {
  const at = secondIn(ahead);
  try {
    await create(schedule(name, { ...changes, ScheduleExpression: expressionOf(at) }));
    return at;
  } catch (error) {
    if (!String(error).includes("in the past")) throw error;
    return createSoon(name, { ...changes, ahead: ahead * 2 });
  }
}

const get = (Name: string) =>
  administrator.scheduler.send(new GetScheduleCommand({ Name, GroupName }));
const events = (name: string): string[] =>
  runner.logs().flatMap(({ line }) => (line.includes(`"schedule":"${name}"`) ? [line] : []));

test("a one-time schedule fires at its second, as its role, more than once if told so, and is gone", async () => {
  await createSoon("once");
  await eventually(() => events("once").length === 2);
  await expect(get("once")).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: "Schedule once does not exist.",
  });
  const call = runner.calls.find(
    ({ action, principal }) =>
      action === "lambda:InvokeFunction" && principal === output("TargetRoleArn"),
  );
  expect(call).toMatchObject({ decision: "Allowed", resource: output("EchoArn") });
});

test("a schedule of the template fires by itself, with Scheduler's own event", async () => {
  const line = await eventually(() =>
    runner.logs("LimitedD8E89E8E").find((each) => each.line.includes("aws.scheduler")),
  );
  expect(line.line).toContain(":schedule/default/");
});

test("what cannot be delivered is retried, then in the dead-letter queue with Scheduler's attributes", async () => {
  const Target = {
    Arn: output("AliceAliasArn"),
    RetryPolicy: { MaximumRetryAttempts: 2 },
    DeadLetterConfig: { Arn: output("FailuresArn") },
  };
  await createSoon("denied", { Target });
  const attributes = await eventually(() =>
    runner
      .queueAttributes(output("FailuresArn"))
      .find((each) => each.SCHEDULE_ARN?.endsWith("/denied")),
  );
  expect(attributes).toMatchObject({
    ERROR_CODE: "AccessDeniedException",
    ERROR_MESSAGE: expect.stringContaining("explicit deny in a resource-based policy"),
    EXHAUSTED_RETRY_CONDITION: "MaximumRetryAttempts",
    IS_PAYLOAD_TRUNCATED: "false",
    RETRY_ATTEMPTS: "2",
    TARGET_ARN: output("AliceAliasArn"),
    SCHEDULED_TIME: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
  expect(runner.queueMessages("Failures8A3E1A2F")).toContain('{"schedule":"denied"}');
});

test("a deleted schedule does not fire", async () => {
  let Name = "";
  let ahead = 1;
  for (let isInTime = false; !isInTime; ahead *= 2) {
    Name = `deleted-${ahead}`;
    const at = await createSoon(Name, { ahead });
    await administrator.scheduler
      .send(new DeleteScheduleCommand({ Name, GroupName }))
      .catch(() => {}); // it has fired
    isInTime = Date.now() < at;
  }
  await createSoon("after", { ahead });
  await eventually(() => events("after").length > 0);
  expect(events(Name)).toEqual([]);
});

test("a name is taken once; the same request again is the same schedule", async () => {
  const command = schedule("taken", { ClientToken: "token-1" });
  const { ScheduleArn } = await create(command);
  expect(ScheduleArn).toBe("arn:aws:scheduler:eu-west-1:123456789012:schedule/small-group/taken");
  expect((await create(command)).ScheduleArn).toBe(ScheduleArn);
  expect(await get("taken")).toMatchObject({ Name: "taken", GroupName, State: "ENABLED" });
  await expect(create(schedule("taken"))).rejects.toMatchObject({
    name: "ConflictException",
    message: "Schedule taken already exists.",
    $metadata: { httpStatusCode: 409 },
  });
});

test.each([
  ["a time in the past", { ScheduleExpression: "at(2020-01-01T00:00:00)" }, /in the past/],
  [
    "a time with a zone",
    { ScheduleExpression: "at(2099-01-01T00:00:00Z)" },
    /Invalid Schedule Expression/,
  ],
  ["a cron expression", { ScheduleExpression: "cron(0 0 * * ? *)" }, /has schedules of at/],
  ["a name with a space", { Name: "a b" }, /'a b' at 'name'/],
  [
    "a flexible window",
    { FlexibleTimeWindow: { Mode: "FLEXIBLE" as const } },
    /the local runner has schedules/,
  ],
])("%s is refused", async (_, changes, message) => {
  await expect(create(schedule("bad", changes))).rejects.toMatchObject({
    name: "ValidationException",
    message: expect.stringMatching(message),
  });
});

test("an unknown group is refused", async () => {
  await expect(create(schedule("lost", { GroupName: "nowhere" }))).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: "Schedule group nowhere does not exist.",
  });
});

test("a role that does not trust Scheduler for this group is refused", async () => {
  const roles = runner.calls.map(({ principal }) => principal);
  expect(roles).toContain("scheduler.amazonaws.com");
  const others = output("TargetRoleArn").replace(/role\/.*/, "role/nobody");
  for (const [RoleArn, group] of [
    [others, GroupName],
    [output("TargetRoleArn"), "default"],
  ] as const)
    await expect(
      create(schedule("untrusted", { GroupName: group, Target: { RoleArn } })),
    ).rejects.toMatchObject({
      name: "ValidationException",
      message:
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    });
});

test("creating a schedule needs the right to pass its role", async () => {
  const alice = clientsOf(runner, "AliceD4D33764");
  await expect(create(schedule("passed"), alice)).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: expect.stringContaining(`iam:PassRole on resource: ${output("TargetRoleArn")}`),
  });
});

test("schedules are listed by group and prefix, page by page", async () => {
  for (const name of ["list-a", "list-b", "list-c"]) await create(schedule(name));
  const list = (NextToken?: string) =>
    administrator.scheduler.send(
      new ListSchedulesCommand({ GroupName, NamePrefix: "list-", MaxResults: 2, NextToken }),
    );
  const first = await list();
  const second = await list(first.NextToken);
  expect([first, second].map(({ Schedules }) => Schedules?.map(({ Name }) => Name))).toEqual([
    ["list-a", "list-b"],
    ["list-c"],
  ]);
  expect(second.NextToken).toBeUndefined();
  expect(first.Schedules?.[0]?.CreationDate?.getTime()).toBeGreaterThan(Date.now() - 60_000);
});

test("a group goes with its schedules, for those who may delete both, and is then missing", async () => {
  await create(schedule("goes-with-its-group"));
  const remove = ({ scheduler }: Clients) =>
    scheduler.send(new DeleteScheduleGroupCommand({ Name: GroupName }));
  await expect(remove(clientsOf(runner, "AliceD4D33764"))).rejects.toMatchObject({
    name: "AccessDeniedException",
  });
  await remove(administrator);
  await expect(get("goes-with-its-group")).rejects.toMatchObject({
    name: "ResourceNotFoundException",
  });
  await expect(remove(administrator)).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: expect.stringContaining(GroupName),
  });
});
