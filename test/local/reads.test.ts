import { GetRoleCommand, GetRolePolicyCommand, IAMClient } from "@aws-sdk/client-iam";
import {
  GetEventSourceMappingCommand,
  GetFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { GetScheduleGroupCommand } from "@aws-sdk/client-scheduler";
import { GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StackResource } from "../../bin/aws/stack-state.ts";
import { lookAtAccount } from "../../bin/doctor/aws/look-at-account.ts";
import { sdkAccount } from "../../bin/doctor/aws/sdk-account.ts";
import { type BareServices, startServices } from "./bare-services.ts";
import { clientsOf } from "./clients.ts";

let services: BareServices;
const parts: StackResource[] = [];

/** Create a resource as CloudFormation does. Its name is its logical id. */
async function create(type: string, logicalId: string, properties: object): Promise<string> {
  const resource = {
    logicalId,
    type,
    properties: { ...properties },
    physicalName: () => logicalId,
  };
  const made = await services.resources[type]?.create(resource);
  if (made === undefined) throw new Error(`no type ${type}`);
  parts.push({ type, logicalId, physicalId: made.ref, status: "CREATE_COMPLETE" });
  return made.ref;
}

const trust = (Service: string) => ({
  Statement: [{ Effect: "Allow", Principal: { Service }, Action: "sts:AssumeRole" }],
});
const allow = (Action: string | readonly string[], Resource: string) => ({
  Statement: [{ Effect: "Allow", Action, Resource }],
});
const arn = (service: string, name: string): string =>
  `arn:aws:${service}:eu-west-1:123456789012:${name}`;
const QUEUE = arn("sqs", "leases");
const ROLE = "arn:aws:iam::123456789012:role/deliver";

beforeAll(async () => {
  services = await startServices();
  await create("AWS::SQS::Queue", "dead", {});
  await create("AWS::SQS::Queue", "leases", {
    VisibilityTimeout: 60,
    RedrivePolicy: { deadLetterTargetArn: arn("sqs", "dead"), maxReceiveCount: 3 },
  });
  await create("AWS::IAM::Role", "deliver", {
    AssumeRolePolicyDocument: trust("scheduler.amazonaws.com"),
    Policies: [
      {
        PolicyName: "invoke",
        PolicyDocument: allow("lambda:InvokeFunction", arn("lambda", "function:revoke")),
      },
    ],
  });
  await create("AWS::IAM::Policy", "Sending", {
    PolicyName: "send",
    PolicyDocument: allow("sqs:SendMessage", QUEUE),
    Roles: ["deliver"],
  });
  await create("AWS::IAM::ManagedPolicy", "Managed", {
    PolicyDocument: allow("sqs:*", "*"),
    Roles: ["deliver"],
  });
  await create("AWS::IAM::Role", "work", {
    AssumeRolePolicyDocument: trust("lambda.amazonaws.com"),
    Policies: [
      {
        PolicyName: "queue",
        PolicyDocument: allow(
          ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
          QUEUE,
        ),
      },
    ],
  });
  await create("AWS::Lambda::Function", "revoke", {
    Code: { S3Key: "code" },
    Handler: "index.handler",
    Role: "arn:aws:iam::123456789012:role/work",
    Runtime: "nodejs24.x",
    Timeout: 30,
    Environment: { Variables: { SCHEDULER_ROLE_ARN: ROLE, REVOCATION_QUEUE_ARN: QUEUE } },
  });
  await create("AWS::Lambda::EventSourceMapping", "reading", {
    EventSourceArn: QUEUE,
    FunctionName: "revoke",
    Enabled: false,
    ScalingConfig: { MaximumConcurrency: 2 },
  });
  await create("AWS::Scheduler::ScheduleGroup", "leases", {});
  await create("AWS::Scheduler::Schedule", "sweep", {
    ScheduleExpression: "rate(1 hour)",
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: { Arn: arn("lambda", "function:revoke"), RoleArn: ROLE },
  });
});
afterAll(() => services.stop());

const ref = (type: string): string => parts.find((part) => part.type === type)?.physicalId ?? "";
const MAPPING = "AWS::Lambda::EventSourceMapping";

test("the doctor reads the account, and names a mapping that is off and a dead letter", async () => {
  const reads = {
    ...sdkAccount(services.config, () => services.clock.now()),
    stack: async () => ({ status: "CREATE_COMPLETE", resources: parts }),
  };
  const look = async (): Promise<readonly string[]> =>
    (await lookAtAccount(reads, ["Small"], services.clock.now()))
      .filter(({ verdict }) => verdict !== "ok")
      .map(({ check, verdict, evidence }) => `${check} ${verdict}: ${evidence}`);
  const off = "event-source broken: Disabled: the revoker gets no messages";
  expect(await look()).toEqual([expect.stringContaining(off)]);

  services.sqs.find(arn("sqs", "dead")).send("{}", {}, "somebody");
  services.sqs.find(QUEUE).send("{}", {}, "somebody");
  services.clock.moveTo(services.clock.now() + 200_000);
  expect(await look()).toEqual([
    expect.stringContaining(off),
    expect.stringContaining(
      "queues broken: 1 messages wait, the oldest for 200 s, 0 are in work: r",
    ),
    expect.stringContaining(
      "queues broken: 1 messages wait, the oldest for 200 s, 0 are in work: l",
    ),
  ]);
});

test("functions, mappings, queues and roles are shown as AWS shows them", async () => {
  const { clients, config } = services;
  const shown = await clients.lambda.send(
    new GetFunctionConfigurationCommand({ FunctionName: arn("lambda", "function:revoke") }),
  );
  expect(shown).toMatchObject({
    FunctionName: "revoke",
    FunctionArn: arn("lambda", "function:revoke"),
    Runtime: "nodejs24.x",
    Timeout: 30,
    Version: "$LATEST",
  });
  const mapping = new GetEventSourceMappingCommand({ UUID: ref(MAPPING) });
  expect(await clients.lambda.send(mapping)).toMatchObject({
    EventSourceArn: QUEUE,
    FunctionArn: arn("lambda", "function:revoke"),
    LastModified: expect.any(Date),
    ScalingConfig: { MaximumConcurrency: 2 },
  });
  const { Role } = await new IAMClient(config).send(new GetRoleCommand({ RoleName: "deliver" }));
  expect(Role).toMatchObject({ Arn: ROLE, CreateDate: expect.any(Date), MaxSessionDuration: 3600 });
  const AttributeNames = ["RedrivePolicy", "VisibilityTimeout"] as const;
  const QueueUrl = services.sqs.find(QUEUE).url;
  const sqs = new SQSClient(config);
  const ask = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...AttributeNames] });
  expect((await sqs.send(ask)).Attributes).toEqual({
    RedrivePolicy: `{"deadLetterTargetArn":"${arn("sqs", "dead")}","maxReceiveCount":3}`,
    VisibilityTimeout: "60",
  });
});

const QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/leases";

/** Each read of what is there, and of what is not. */
const readsOf = (config: BareServices["config"]) => {
  const { lambda, scheduler } = clientsOf(
    { ...config, credentialsFor: () => config.credentials },
    "caller",
  );
  const iam = new IAMClient(config);
  const sqs = new SQSClient(config);
  return {
    GetFunctionConfiguration: (FunctionName = "revoke") =>
      lambda.send(new GetFunctionConfigurationCommand({ FunctionName })),
    GetEventSourceMapping: (UUID = ref(MAPPING)) =>
      lambda.send(new GetEventSourceMappingCommand({ UUID })),
    GetScheduleGroup: (Name = "leases") => scheduler.send(new GetScheduleGroupCommand({ Name })),
    GetRole: (RoleName = "deliver") => iam.send(new GetRoleCommand({ RoleName })),
    GetRolePolicy: (PolicyName = "send") =>
      iam.send(new GetRolePolicyCommand({ RoleName: "deliver", PolicyName })),
    GetQueueAttributes: (name = "leases") =>
      sqs.send(new GetQueueAttributesCommand({ QueueUrl: QUEUE_URL.replace("leases", name) })),
  };
};

test.each([
  ["GetFunctionConfiguration", "ResourceNotFoundException", 404],
  ["GetEventSourceMapping", "ResourceNotFoundException", 404],
  ["GetScheduleGroup", "ResourceNotFoundException", 404],
  ["GetRole", "NoSuchEntityException", 404],
  ["GetRolePolicy", "NoSuchEntityException", 404],
  ["GetQueueAttributes", "QueueDoesNotExist", 400],
] as const)("%s of what does not exist", async (operation, name, httpStatusCode) => {
  await expect(readsOf(services.config)[operation]("nothing")).rejects.toMatchObject({
    name,
    $metadata: { httpStatusCode },
  });
});

test.each([
  "GetFunctionConfiguration",
  "GetEventSourceMapping",
  "GetScheduleGroup",
  "GetRole",
  "GetRolePolicy",
  "GetQueueAttributes",
] as const)("%s needs its permission", async (operation) => {
  const { identities, config } = services;
  const { credentials } = identities.session(identities.role("delivery"), "test");
  await expect(readsOf({ ...config, credentials })[operation]()).rejects.toMatchObject({
    name: expect.stringMatching(/^AccessDenied/),
    message: expect.stringContaining(`:${operation} `),
    $metadata: { httpStatusCode: 403 },
  });
});

test.each([
  ["Colour", "InvalidAttributeName", "Unknown Attribute Colour."],
  ["MessageRetentionPeriod", "NotImplemented", "sqs:GetQueueAttributes of MessageRetentionPeriod"],
])("an attribute %s of a queue is refused", async (attribute, name, message) => {
  const AttributeNames = [attribute as "All"];
  const ask = new GetQueueAttributesCommand({ QueueUrl: QUEUE_URL, AttributeNames });
  await expect(new SQSClient(services.config).send(ask)).rejects.toMatchObject({
    name,
    message: expect.stringContaining(message),
  });
});
