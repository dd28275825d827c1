import type { Stack } from "aws-cdk-lib";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { afterAll, expect, test } from "vitest";
import shipped from "../../mayfly.config.ts";
import { ACCOUNT, REGION, Resolved, STACK_UUID } from "./resolved.ts";
import {
  ofType,
  only,
  type Resources,
  resourcesOf,
  shippedStack,
  Workbench,
} from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const resources = resourcesOf(shippedStack());
const resolved = new Resolved(resources);

const functionOf = (word: string, from: Resources = resources) =>
  only(from, "AWS::Lambda::Function", word)[1].Properties;

const secret = (word: string): string => resolved.arn("AWS::SecretsManager::Secret", word);
const group = resolved.arn("AWS::Scheduler::ScheduleGroup");
const groupName = group.slice(group.indexOf("/") + 1);
const schedules = `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/${groupName}/*`;
const schedulerRole = resolved.arn("AWS::IAM::Role", "SchedulesRole");

/** What a function may do, beyond its own log and its network interfaces: `Sid` to the rest. */
function permissions(word: string): Readonly<Record<string, unknown>> {
  const statements = resolved
    .identityPolicies(word)
    .flatMap(({ policy }) => (policy as { Statement: { Sid: string }[] }).Statement)
    .map(({ Sid, ...statement }) => [Sid, statement] as const);
  const {
    OwnLogs,
    NetworkInterfaces: _interfaces,
    NotFromCode: _not,
    ...rest
  } = Object.fromEntries(statements);
  expect(OwnLogs).toEqual({
    Effect: "Allow",
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: resolved.arn("AWS::Logs::LogGroup", word.replace(/Role$/, "Logs")),
  });
  return rest;
}

const read = (...words: string[]) => {
  const arns = words.map(secret);
  const Resource = arns.length === 1 ? arns[0] : arns;
  return { Effect: "Allow", Action: "secretsmanager:GetSecretValue", Resource };
};
const create = {
  CreateSchedules: { Effect: "Allow", Action: "scheduler:CreateSchedule", Resource: schedules },
  PassSchedulerRole: {
    Effect: "Allow",
    Action: "iam:PassRole",
    Resource: schedulerRole,
    Condition: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
  },
};
const compare = {
  CompareSchedules: {
    Effect: "Allow",
    Action: ["scheduler:GetSchedule", "scheduler:DeleteSchedule"],
    Resource: schedules,
  },
  ListSchedules: { Effect: "Allow", Action: "scheduler:ListSchedules", Resource: "*" },
};
const rotated = (...words: string[]) => words.map((word) => secret(word));
const watch = {
  Effect: "Allow",
  Action: "secretsmanager:DescribeSecret",
  Resource: rotated(
    "sandboxInstanceSecret",
    "SecretsIssuer",
    "SecretsJanitor",
    "secretreportsSecret",
    "secretshopSecret",
  ),
};
const failures = resolved.arn("AWS::SQS::Queue", "FailedRevocations");
const queue = resolved.arn("AWS::SQS::Queue", "RevocationsQueue");
const converge = resolved.arn("AWS::Lambda::Alias", "converge");

test.each<[string, object]>([
  [
    "IssuerRole",
    { ReadSecrets: read("SecretsIssuer", "SecretsJanitor", "SecretsPepper"), ...create },
  ],
  [
    "RevokerRole",
    {
      ReadSecrets: read("SecretsIssuer", "SecretsJanitor"),
      ...create,
      ReadRevocations: {
        Effect: "Allow",
        Action: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        Resource: queue,
      },
    },
  ],
  [
    "SweeperRole",
    {
      ReadSecrets: read("SecretsIssuer", "SecretsJanitor"),
      ...create,
      ...compare,
      WatchSecrets: watch,
    },
  ],
  [
    "OperatorRole",
    {
      ReadSecrets: read("SecretsIssuer", "SecretsJanitor"),
      ...create,
      ...compare,
      Converge: { Effect: "Allow", Action: "lambda:InvokeFunction", Resource: converge },
    },
  ],
  [
    "ProvisionerRole",
    {
      ReadSecrets: read("sandboxInstanceSecret", "SecretsIssuer", "SecretsJanitor"),
      WriteLogins: {
        Effect: "Allow",
        Action: "secretsmanager:PutSecretValue",
        Resource: [secret("SecretsIssuer"), secret("SecretsJanitor")],
      },
      RemoveGroup: { Effect: "Allow", Action: "scheduler:DeleteScheduleGroup", Resource: group },
      RemoveSchedules: { Effect: "Allow", Action: "scheduler:DeleteSchedule", Resource: schedules },
      ReadRotatedSecrets: {
        Effect: "Allow",
        Action: "secretsmanager:GetSecretValue",
        Resource: rotated("secretreportsSecret", "secretshopSecret"),
      },
    },
  ],
  ["SeederRole", { ReadSecrets: read("sandboxInstanceSecret") }],
])("%s may do exactly this", (role, expected) => {
  expect(permissions(role)).toEqual(expected);
});

test("no role of the stack has an AWS-managed policy", () => {
  for (const [, { Properties }] of ofType(resources, "AWS::IAM::Role"))
    expect(Properties).not.toHaveProperty("ManagedPolicyArns");
});

test("only network interfaces and the list of schedules are allowed on every resource", () => {
  const everywhere = new Set<string>();
  for (const [, { Properties }] of ofType(resources, "AWS::IAM::Policy")) {
    const { Statement } = Properties.PolicyDocument as {
      Statement: { Sid: string; Effect: string; Resource: unknown }[];
    };
    for (const { Sid, Effect, Resource } of Statement)
      if (Effect === "Allow" && JSON.stringify(Resource) === '"*"') everywhere.add(Sid);
  }
  expect(everywhere).toEqual(new Set(["ListSchedules", "NetworkInterfaces"]));
});

test.each([
  ["Issuer", 30, 1024, 5],
  ["Revoker", 60, 512, 2],
  ["Sweeper", 240, 512, 1],
  ["Operator", 300, 512, 1],
  ["ProvisioningProvisioner", 840, 512, 1],
])("%s runs on ARM and Node 24 for at most %d seconds with %d MiB, %d at once", (...row) => {
  const [word, Timeout, MemorySize, ReservedConcurrentExecutions] = row;
  const { Properties } = only(resources, "AWS::Lambda::Function", word)[1];
  expect(Properties).toMatchObject({
    Runtime: "nodejs24.x",
    Architectures: ["arm64"],
    Handler: "index.handler",
    Timeout,
    MemorySize,
    ReservedConcurrentExecutions,
  });
  expect(Properties).toHaveProperty("VpcConfig.SubnetIds.1");
});

test("reserved concurrency can be given up, and the logins are bounded all the same", () => {
  const { orders } = shipped.databases;
  if (orders === undefined) throw new Error("the shipped configuration has no database orders");
  const opted = { ...shipped, databases: { orders: { ...orders, reserveConcurrency: false } } };
  const without = resourcesOf(bench.stack(opted));
  for (const [, { Properties }] of ofType(without, "AWS::Lambda::Function"))
    expect(Properties).not.toHaveProperty("ReservedConcurrentExecutions");
  const [, provision] = only(without, "Custom::MayflyProvision");
  expect(JSON.parse(String(provision.Properties.Plan))).toMatchObject({
    loginConnectionLimit: 50,
  });
});

const environment = (word: string): unknown =>
  resolved.value((functionOf(word).Environment as { Variables: unknown }).Variables);

const server = {
  DB_HOST: expect.stringMatching(/Endpoint\.Address$/),
  DB_PORT: expect.stringMatching(/Endpoint\.Port$/),
  POWERTOOLS_SERVICE_NAME: "mayfly",
  POWERTOOLS_METRICS_NAMESPACE: "Mayfly",
};
const serverId = { SERVER_ID: expect.stringMatching(/DbiResourceId$/) };
const leases = {
  ...server,
  ...serverId,
  ISSUER_SECRET_ARN: secret("SecretsIssuer"),
  JANITOR_SECRET_ARN: secret("SecretsJanitor"),
  SCHEDULE_GROUP: groupName,
  SCHEDULER_ROLE_ARN: schedulerRole,
  REVOCATION_QUEUE_ARN: queue,
  SCHEDULE_DLQ_ARN: resolved.arn("AWS::SQS::Queue", "DeadLetters"),
};
const admin = { ...server, ADMIN_SECRET_ARN: secret("sandboxInstanceSecret") };

test.each<[string, object]>([
  ["Issuer", { ...leases, PEPPER_SECRET_ARN: secret("SecretsPepper") }],
  ["Revoker", leases],
  [
    "Sweeper",
    {
      ...leases,
      ROTATED_SECRETS: JSON.stringify({
        admin: secret("sandboxInstanceSecret"),
        issuer: secret("SecretsIssuer"),
        janitor: secret("SecretsJanitor"),
        reports: secret("secretreportsSecret"),
        shop: secret("secretshopSecret"),
      }),
    },
  ],
  ["Operator", { ...leases, CONVERGE_ARN: converge }],
  [
    "ProvisioningProvisioner",
    {
      ...admin,
      ...serverId,
      DATABASE: "orders",
      ISSUER_SECRET_ARN: secret("SecretsIssuer"),
      JANITOR_SECRET_ARN: secret("SecretsJanitor"),
      SCHEDULE_GROUP: groupName,
      ROTATED_SECRETS: JSON.stringify({
        reports: secret("secretreportsSecret"),
        shop: secret("secretshopSecret"),
      }),
      STACK_ID: `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/Mayfly/${STACK_UUID}`,
    },
  ],
  ["Seeder", admin],
])("%s is told exactly this", (word, expected) => {
  expect(environment(word)).toEqual(expected);
});

test("the schedule group is named after this creation of the stack, and outlives it if need be", () => {
  const [, entry] = only(resources, "AWS::Scheduler::ScheduleGroup");
  expect(groupName).toMatch(new RegExp(`^mayfly-Mayfly-[a-z2-7]{4}-${STACK_UUID}$`));
  expect(entry).toMatchObject({
    DeletionPolicy: "RetainExceptOnCreate",
    UpdateReplacePolicy: "Retain",
  });
});

test("the revoker gets up to ten messages at once, waits for none, and runs on two instances at most", () => {
  const [, { Properties }] = only(resources, "AWS::Lambda::EventSourceMapping");
  expect(resolved.value(Properties)).toEqual({
    EventSourceArn: queue,
    FunctionName: only(resources, "AWS::Lambda::Function", "Revoker")[0],
    BatchSize: 10,
    ScalingConfig: { MaximumConcurrency: 2 },
    FunctionResponseTypes: ["ReportBatchItemFailures"],
  });
});

test("a revocation that fails is tried five times, and then kept in a queue of its own", () => {
  const [, { Properties }] = only(resources, "AWS::SQS::Queue", "RevocationsQueue");
  expect(resolved.value(Properties)).toMatchObject({
    RedrivePolicy: { deadLetterTargetArn: failures, maxReceiveCount: 5 },
    // six times the revoker's limit
    VisibilityTimeout: 6 * 60,
  });
});

test("schedules may fill the revoker's queue and that of dead letters, and no other account's may", () => {
  expect(resolved.value(only(resources, "AWS::IAM::Role", "SchedulesRole")[1].Properties)).toEqual({
    AssumeRolePolicyDocument: {
      Version: "2012-10-17",
      Statement: [
        {
          Effect: "Allow",
          Action: "sts:AssumeRole",
          Principal: { Service: "scheduler.amazonaws.com" },
          Condition: { StringEquals: { "aws:SourceAccount": ACCOUNT, "aws:SourceArn": group } },
        },
      ],
    },
  });
  expect(resolved.identityPolicies("SchedulesRole")).toMatchObject([
    {
      policy: {
        Statement: [
          { Action: "sqs:SendMessage", Resource: leases.SCHEDULE_DLQ_ARN },
          { Action: "sqs:SendMessage", Resource: queue },
        ],
      },
    },
  ]);
});

test("a sweep starts every five minutes, and one that cannot start soon is dropped", () => {
  const [, { Properties }] = only(resources, "AWS::Scheduler::Schedule");
  expect(resolved.value(Properties)).toMatchObject({
    ScheduleExpression: "rate(5 minutes)",
    FlexibleTimeWindow: { Mode: "OFF" },
    Target: {
      Arn: resolved.arn("AWS::Lambda::Function", "Sweeper"),
      RoleArn: resolved.arn("AWS::IAM::Role", "SweepRole"),
      RetryPolicy: { MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 240 },
    },
  });
  expect(Properties).not.toHaveProperty("GroupName");
  const [, async] = only(resources, "AWS::Lambda::EventInvokeConfig", "Sweeper");
  expect(async.Properties).toMatchObject({
    MaximumRetryAttempts: 0,
    MaximumEventAgeInSeconds: 240,
  });
});

test("without reserved concurrency, the deployment says how many instances of the issuer fit the login", () => {
  const { orders } = shipped.databases;
  if (orders === undefined) throw new Error("the shipped configuration has no database orders");
  const opted = { ...shipped, databases: { orders: { ...orders, reserveConcurrency: false } } };
  const said = (stack: Stack) =>
    Annotations.fromStack(stack)
      .findWarning("*", Match.stringLikeRegexp("issuer of orders may run"))
      .map(({ entry }) => JSON.stringify(entry.data));
  expect(said(bench.stack(shipped))).toEqual([]);
  const [warning] = said(bench.stack(opted));
  expect(warning).toMatch(/ 50 connections, .* 44 instances /);
});

test("without reserved concurrency, the mapping alone keeps the revoker to two instances", () => {
  const { orders } = shipped.databases;
  if (orders === undefined) throw new Error("the shipped configuration has no database orders");
  const opted = { ...shipped, databases: { orders: { ...orders, reserveConcurrency: false } } };
  const [, mapping] = only(resourcesOf(bench.stack(opted)), "AWS::Lambda::EventSourceMapping");
  expect(mapping.Properties).toMatchObject({ ScalingConfig: { MaximumConcurrency: 2 } });
});

test("no sweep starts before the database is provisioned", () => {
  const [, schedule] = only(resources, "AWS::Scheduler::Schedule");
  expect(schedule.DependsOn).toContain(only(resources, "Custom::MayflyProvision")[0]);
});

test("every queue is encrypted and refuses connections without TLS", () => {
  const queues = ofType(resources, "AWS::SQS::Queue");
  const days = queues.map(([id, { Properties }]) => {
    expect(Properties).toMatchObject({ SqsManagedSseEnabled: true });
    return [id.replace(/[0-9A-F]{8}$/, ""), Number(Properties.MessageRetentionPeriod) / 86_400];
  });
  expect(Object.fromEntries(days)).toEqual({
    ordersSchedulesDeadLetters: 14,
    ordersFunctionsRevocationsFailedRevocations: 14,
    ordersFunctionsRevocationsQueue: 1,
  });
  const policies = ofType(resources, "AWS::SQS::QueuePolicy");
  expect(policies).toHaveLength(queues.length);
  for (const [, { Properties }] of policies)
    expect(JSON.stringify(Properties.PolicyDocument)).toContain('"aws:SecureTransport":"false"');
});

test("every log is kept for a month and goes with the stack", () => {
  const groups = ofType(resources, "AWS::Logs::LogGroup");
  expect(groups).toHaveLength(ofType(resources, "AWS::Lambda::Function").length);
  for (const [, { Properties, DeletionPolicy }] of groups) {
    expect(Properties.RetentionInDays).toBe(30);
    expect(DeletionPolicy).toBe("Delete");
  }
});
