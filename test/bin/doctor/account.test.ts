import { describe, expect, test } from "vitest";
import {
  type AccountReads,
  NotRead,
  type QueueState,
  type RotationState,
} from "../../../bin/doctor/aws/account-reads.ts";
import { ACCOUNT_CHECKS, lookAtAccount } from "../../../bin/doctor/aws/look-at-account.ts";
import { sdkAccount } from "../../../bin/doctor/aws/sdk-account.ts";
import { worstOf } from "../../../core/doctor/finding.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const DAY = 86_400_000;
const QUEUE = "arn:aws:sqs:eu-west-1:111122223333:revocations";
const SWEEPER = "arn:aws:lambda:eu-west-1:111122223333:function:sweeper";
const ROLE = "arn:aws:iam::111122223333:role/schedules";
const SWEEP_ROLE = "arn:aws:iam::111122223333:role/sweeps";

const allow = (Action: string, Resource: string): string =>
  JSON.stringify({ Statement: [{ Effect: "Allow", Action, Resource }] });

const TRUST = JSON.stringify({
  Statement: {
    Effect: "Allow",
    Action: "sts:AssumeRole",
    Principal: { Service: "scheduler.amazonaws.com" },
  },
});

const part = (type: string, physicalId: string) => ({
  type,
  physicalId,
  logicalId: physicalId,
  status: "CREATE_COMPLETE",
});

const PARTS = [
  part("AWS::Lambda::Function", "issuer"),
  part("AWS::Lambda::EventSourceMapping", "mapping"),
  part("AWS::Scheduler::Schedule", "sweep"),
  part("AWS::Scheduler::ScheduleGroup", "leases"),
  part("AWS::SQS::Queue", "https://sqs/revocations"),
  part("AWS::SQS::Queue", "https://sqs/dead"),
  part("AWS::SecretsManager::RotationSchedule", "arn:secret"),
  part("AWS::CloudWatch::Alarm", "OverdueLeases"),
];

const busy: QueueState = { arn: QUEUE, waiting: 3, inFlight: 1, isDeadLetters: false, oldest: 2 };
const empty: QueueState = { arn: `${QUEUE}-dead`, waiting: 0, inFlight: 0, isDeadLetters: true };
const rotated: RotationState = {
  enabled: true,
  rotatedAt: NOW - 3 * DAY,
  nextAt: NOW + 4 * DAY,
  everyDays: 7,
  pending: false,
};

const HEALTHY: AccountReads = {
  stack: async () => ({ status: "UPDATE_COMPLETE", resources: PARTS }),
  functionState: async () => ({
    state: "Active",
    update: "Successful",
    variables: { SCHEDULER_ROLE_ARN: ROLE, REVOCATION_QUEUE_ARN: QUEUE },
  }),
  mappingState: async () => "Enabled",
  schedule: async () => ({ state: "ENABLED", targetArn: SWEEPER, roleArn: SWEEP_ROLE }),
  scheduleGroupState: async () => "ACTIVE",
  role: async (name) => ({
    trust: TRUST,
    policies: [
      name === "sweeps" ? allow("lambda:InvokeFunction", SWEEPER) : allow("sqs:SendMessage", QUEUE),
    ],
  }),
  queue: async (url) => (url.endsWith("dead") ? empty : busy),
  rotation: async () => rotated,
  alarms: async () => [{ name: "OverdueLeases", state: "OK", reason: "" }],
};

const wrongWith = async (reads: Partial<AccountReads>) =>
  (await lookAtAccount({ ...HEALTHY, ...reads }, ["Mayfly"], NOW)).filter(
    ({ verdict }) => verdict !== "ok",
  );

describe("the doctor of an account", () => {
  test("looks at everything, and finds nothing wrong with what is as deployed", async () => {
    const findings = await lookAtAccount(HEALTHY, ["Mayfly"], NOW);
    expect(worstOf(findings)).toBe("ok");
    expect(new Set(findings.map(({ check }) => check))).toEqual(new Set(ACCOUNT_CHECKS));
  });

  test.each<[string, Partial<AccountReads>, string, string, string]>([
    [
      "a failed deployment",
      { stack: async () => ({ status: "UPDATE_ROLLBACK_FAILED", resources: [] }) },
      "stack",
      "UPDATE_ROLLBACK_FAILED",
      "describe-stack-events --stack-name Mayfly",
    ],
    [
      "a function without its network",
      {
        functionState: async () => ({
          ...(await HEALTHY.functionState("issuer")),
          state: "Failed",
          reason: "the subnet is gone",
        }),
      },
      "function-state",
      "the subnet is gone",
      "subnets",
    ],
    [
      "a queue that nobody reads",
      { mappingState: async () => "Disabled" },
      "event-source",
      "Disabled",
      "--uuid mapping --enabled",
    ],
    [
      "a sweep that is off",
      {
        schedule: async () => ({ state: "DISABLED", targetArn: SWEEPER, roleArn: SWEEP_ROLE }),
      },
      "sweep-schedule",
      "DISABLED",
      "set State to ENABLED",
    ],
    [
      "a group that is being deleted",
      { scheduleGroupState: async () => "DELETING" },
      "schedule-group",
      "DELETING",
      "deploy",
    ],
    [
      "dead letters",
      { queue: async (url) => (url.endsWith("dead") ? { ...empty, waiting: 2 } : busy) },
      "queues",
      "2 messages wait",
      `start-message-move-task --source-arn ${QUEUE}-dead`,
    ],
    [
      "messages that wait",
      { queue: async (url) => (url.endsWith("dead") ? empty : { ...busy, oldest: 180 }) },
      "queues",
      "the oldest for 180 s",
      "revoker's log",
    ],
    [
      "a rotation that is stuck",
      { rotation: async () => ({ ...rotated, pending: true }) },
      "rotation",
      "AWSPENDING",
      "rotate-secret --secret-id arn:secret",
    ],
    [
      "a rotation that is off",
      { rotation: async () => ({ ...rotated, enabled: false }) },
      "rotation",
      "RotationEnabled is false",
      "set RotationEnabled to true",
    ],
    [
      "a secret that is overdue",
      { rotation: async () => ({ ...rotated, rotatedAt: NOW - 11 * DAY }) },
      "rotation",
      "overdue",
      "rotate-secret",
    ],
    [
      "an alarm",
      { alarms: async () => [{ name: "OverdueLeases", state: "ALARM", reason: "1 > 0" }] },
      "alarms",
      "ALARM: 1 > 0",
      "OverdueLeases",
    ],
  ])("finds %s", async (_, reads, check, evidence, step) => {
    const found = await wrongWith(reads);
    expect(found.map((each) => each.check)).toEqual([check]);
    expect(found[0]).toMatchObject({
      area: "aws",
      verdict: "broken",
      evidence: expect.stringContaining(evidence),
      fix: { kind: "step", text: expect.stringContaining(step) },
    });
  });

  test("a rotation that has just begun is not stuck", async () => {
    const begun = { ...rotated, pending: true, rotatedAt: NOW - 60_000 };
    expect(await wrongWith({ rotation: async () => begun })).toEqual([]);
  });

  test("finds schedules' roles that Scheduler may not assume, or that may not do their work", async () => {
    const trust = TRUST.replace("scheduler.amazonaws.com", "events.amazonaws.com");
    const untrusted = await wrongWith({
      role: async (name) => ({ ...(await HEALTHY.role(name)), trust }),
    });
    expect(untrusted.map(({ check, subject }) => [check, subject])).toEqual([
      ["sweep-schedule", SWEEP_ROLE],
      ["scheduler-role", ROLE],
    ]);
    const powerless = await wrongWith({ role: async () => ({ trust: TRUST, policies: [] }) });
    expect(powerless.map(({ evidence }) => evidence)).toEqual([
      expect.stringContaining(`may not lambda:InvokeFunction on ${SWEEPER}`),
      expect.stringContaining(`may not sqs:SendMessage on ${QUEUE}`),
    ]);
  });

  test("what may not be read is unknown, with the permission; what is gone is broken", async () => {
    const refuse = (action: string, name: string) => async (): Promise<never> => {
      throw new NotRead(action, Object.assign(new Error("text"), { name }));
    };
    const found = await wrongWith({
      alarms: refuse("cloudwatch:DescribeAlarms", "AccessDenied"),
      scheduleGroupState: refuse("scheduler:GetScheduleGroup", "ResourceNotFoundException"),
      mappingState: refuse("lambda:GetEventSourceMapping", "NotImplemented"),
    });
    expect(found.map(({ check, verdict }) => [check, verdict])).toEqual([
      ["event-source", "unknown"],
      ["schedule-group", "broken"],
      ["alarms", "unknown"],
    ]);
    expect(found[2]?.fix).toMatchObject({
      text: expect.stringContaining("allow cloudwatch:DescribeAlarms"),
    });
  });

  test("AWS's refusals name the action of the call", async () => {
    const nobody = sdkAccount(
      {
        region: "eu-west-1",
        endpoint: "http://127.0.0.1:1",
        credentials: { accessKeyId: "x", secretAccessKey: "x" },
      },
      () => NOW,
    );
    const calls: readonly (readonly [string, Promise<unknown>])[] = [
      ["lambda:GetFunctionConfiguration", nobody.functionState("issuer")],
      ["lambda:GetEventSourceMapping", nobody.mappingState("mapping")],
      ["scheduler:GetSchedule", nobody.schedule("sweep")],
      ["scheduler:GetScheduleGroup", nobody.scheduleGroupState("leases")],
      ["iam:GetRole", nobody.role("schedules")],
      ["sqs:GetQueueAttributes", nobody.queue("http://127.0.0.1:1/q")],
      ["secretsmanager:DescribeSecret", nobody.rotation("arn:secret")],
      ["cloudwatch:DescribeAlarms", nobody.alarms(["x"])],
      ["cloudformation:ListStackResources", nobody.stack("Mayfly")],
    ];
    const refused = await Promise.all(
      calls.map(([, call]) =>
        call.then(
          () => "answered",
          (error: NotRead) => error.action,
        ),
      ),
    );
    expect(refused).toEqual(calls.map(([action]) => action));
  });
});
