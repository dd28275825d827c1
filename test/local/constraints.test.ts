import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import { DescribeDBInstancesCommand, ModifyDBInstanceCommand } from "@aws-sdk/client-rds";
import {
  CreateScheduleCommand,
  type CreateScheduleCommandInput,
  GetScheduleCommand,
  ListSchedulesCommand,
  type ListSchedulesCommandInput,
} from "@aws-sdk/client-scheduler";
import {
  BatchGetSecretValueCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BareServices, startServices } from "./bare-services.ts";
import type { Clients } from "./clients.ts";

let aws: BareServices;
beforeAll(async () => {
  aws = await startServices();
});
afterAll(() => aws.stop());

const DELIVERY = "arn:aws:iam::123456789012:role/delivery";
const target = { Arn: "arn:aws:lambda:eu-west-1:123456789012:function:f", RoleArn: DELIVERY };

const schedule = (
  changes: Partial<CreateScheduleCommandInput> = {},
  ofTarget: Partial<CreateScheduleCommandInput["Target"]> = {},
) =>
  new CreateScheduleCommand({
    Name: "one",
    ScheduleExpression: "at(2099-01-01T00:00:00)",
    FlexibleTimeWindow: { Mode: "OFF" },
    ...changes,
    Target: { ...target, ...ofTarget },
  });

const SecretId = "db1/small";
type Call = (clients: Clients) => Promise<unknown>;

/** The error that each call gets. The first of each kind of constraint has AWS's whole sentence. */
const refused: readonly [what: string, call: Call, name: string, message: string][] = [
  [
    "a client token of 65 characters",
    ({ scheduler }) => scheduler.send(schedule({ ClientToken: "t".repeat(65) })),
    "ValidationException",
    `1 validation error detected: Value '${"t".repeat(65)}' at 'clientToken' failed to satisfy constraint: Member must have length less than or equal to 64`,
  ],
  [
    "a client token with a space",
    ({ scheduler }) => scheduler.send(schedule({ ClientToken: "a b" })),
    "ValidationException",
    "at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_]+$",
  ],
  [
    "a description of 513 characters",
    ({ scheduler }) => scheduler.send(schedule({ Description: "d".repeat(513) })),
    "ValidationException",
    "at 'description'",
  ],
  [
    "an unknown action after completion",
    ({ scheduler }) => scheduler.send(schedule({ ActionAfterCompletion: "FOO" as "NONE" })),
    "ValidationException",
    "Value 'FOO' at 'actionAfterCompletion'",
  ],
  [
    "an unknown state and 999 retries, both at once",
    ({ scheduler }) =>
      scheduler.send(
        schedule({ State: "ON" as "ENABLED" }, { RetryPolicy: { MaximumRetryAttempts: 999 } }),
      ),
    "ValidationException",
    "2 validation errors detected: Value 'ON' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]; Value '999' at 'target.retryPolicy.maximumRetryAttempts' failed to satisfy constraint: Member must have value less than or equal to 185",
  ],
  [
    "events that age for less than a minute",
    ({ scheduler }) =>
      scheduler.send(schedule({}, { RetryPolicy: { MaximumEventAgeInSeconds: 59 } })),
    "ValidationException",
    "'target.retryPolicy.maximumEventAgeInSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60",
  ],
  [
    "a function as dead-letter queue",
    ({ scheduler }) => scheduler.send(schedule({}, { DeadLetterConfig: { Arn: target.Arn } })),
    "ValidationException",
    "at 'target.deadLetterConfig.arn'",
  ],
  [
    "a role that is no ARN",
    ({ scheduler }) => scheduler.send(schedule({}, { RoleArn: "n/a" })),
    "ValidationException",
    "Value 'n/a' at 'target.roleArn'",
  ],
  [
    "101 schedules of a list",
    ({ scheduler }) => scheduler.send(new ListSchedulesCommand({ MaxResults: 101 })),
    "ValidationException",
    "Value '101' at 'maxResults'",
  ],
  [
    "a list of schedules in no state",
    ({ scheduler }) =>
      scheduler.send(new ListSchedulesCommand({ State: "ON" } as unknown as { State: "ENABLED" })),
    "ValidationException",
    "Value 'ON' at 'state'",
  ],
  [
    "a secret without a name",
    ({ secrets }) => secrets.send(new GetSecretValueCommand({ SecretId: "" })),
    "ValidationException",
    "Value '' at 'secretId' failed to satisfy constraint: Member must have length greater than or equal to 1",
  ],
  [
    "a version of a short id",
    ({ secrets }) => secrets.send(new GetSecretValueCommand({ SecretId, VersionId: "v" })),
    "ValidationException",
    "Value 'v' at 'versionId'",
  ],
  [
    "a short id to move a label to",
    ({ secrets }) =>
      secrets.send(
        new UpdateSecretVersionStageCommand({ SecretId, VersionStage: "A", MoveToVersionId: "v" }),
      ),
    "ValidationException",
    "'moveToVersionId'",
  ],
  [
    "101 secrets of a list",
    ({ secrets }) => secrets.send(new ListSecretsCommand({ MaxResults: 101 })),
    "ValidationException",
    "Value '101' at 'maxResults'",
  ],
  [
    "a filter by what is no key",
    ({ secrets }) =>
      secrets.send(new ListSecretsCommand({ Filters: [{ Key: "kind" as "name", Values: ["a"] }] })),
    "ValidationException",
    "Value 'kind' at 'filters.1.member.key'",
  ],
  [
    "a filter with a value of odd characters",
    ({ secrets }) =>
      secrets.send(new ListSecretsCommand({ Filters: [{ Key: "name", Values: ["a", "ä"] }] })),
    "ValidationException",
    "Value 'ä' at 'filters.1.member.values.2.member'",
  ],
  [
    "a page of secrets that are named one by one",
    ({ secrets }) =>
      secrets.send(new BatchGetSecretValueCommand({ SecretIdList: [SecretId], MaxResults: 5 })),
    "InvalidParameterException",
    "MaxResults with Filters only",
  ],
  [
    "text and bytes as one value",
    ({ secrets }) =>
      secrets.send(
        new PutSecretValueCommand({ SecretId, SecretString: "s", SecretBinary: Buffer.from("b") }),
      ),
    "InvalidParameterException",
    "You can't specify both a binary secret value and a string secret value in the same secret.",
  ],
  [
    "bytes as a value",
    ({ secrets }) =>
      secrets.send(new PutSecretValueCommand({ SecretId, SecretBinary: Buffer.from("b") })),
    "InvalidParameterException",
    "the local runner has no binary values; send SecretString",
  ],
  [
    "a password of 4,097 characters",
    ({ secrets }) => secrets.send(new GetRandomPasswordCommand({ PasswordLength: 4_097 })),
    "ValidationException",
    "Value '4097' at 'passwordLength'",
  ],
  [
    "a window of minutes",
    ({ secrets }) =>
      secrets.send(
        new RotateSecretCommand({
          SecretId,
          RotationRules: { AutomaticallyAfterDays: 1, Duration: "90m" },
        }),
      ),
    "ValidationException",
    "Value '90m' at 'rotationRules.duration'",
  ],
  [
    "an unknown invocation type",
    ({ lambda }) =>
      lambda.send(new InvokeCommand({ FunctionName: "f", InvocationType: "Later" as "Event" })),
    "ValidationException",
    "Value 'Later' at 'invocationType'",
  ],
  [
    "eleven events at once",
    () =>
      new EventBridgeClient(aws.config).send(new PutEventsCommand({ Entries: Array(11).fill({}) })),
    "ValidationException",
    "Value at 'entries'",
  ],
  [
    "a session that is too long",
    ({ sts }) =>
      sts.send(
        new AssumeRoleCommand({ RoleArn: DELIVERY, RoleSessionName: "s", DurationSeconds: 1 }),
      ),
    "ValidationError",
    "Value 's' at 'roleSessionName'",
  ],
];

test.each(refused)("%s is refused", async (_, call, name, message) => {
  await expect(call(aws.clients)).rejects.toMatchObject({
    name,
    message: expect.stringContaining(message),
    $metadata: { httpStatusCode: 400 },
  });
});

const ODD_IDS = [
  "n/a",
  "arn:",
  "arn:aws",
  "a b",
  "arn:aws:x",
  "ä",
  ":::::::",
  "*",
  "%",
  "a\nb",
  "{}",
];

describe("an id that is malformed is the caller's fault, never the runner's", () => {
  const calls: Readonly<Record<string, (id: string) => Call>> = {
    GetSecretValue:
      (id) =>
      ({ secrets }) =>
        secrets.send(new GetSecretValueCommand({ SecretId: id })),
    RotateSecret:
      (id) =>
      ({ secrets }) =>
        secrets.send(new RotateSecretCommand({ SecretId, RotationLambdaARN: id })),
    GetSchedule:
      (id) =>
      ({ scheduler }) =>
        scheduler.send(new GetScheduleCommand({ Name: id })),
    CreateSchedule:
      (id) =>
      ({ scheduler }) =>
        scheduler.send(schedule({}, { Arn: id })),
    "CreateSchedule in a group":
      (id) =>
      ({ scheduler }) =>
        scheduler.send(schedule({ GroupName: id })),
    Invoke:
      (id) =>
      ({ lambda }) =>
        lambda.send(new InvokeCommand({ FunctionName: id })),
    "Invoke of a qualifier":
      (id) =>
      ({ lambda }) =>
        lambda.send(new InvokeCommand({ FunctionName: "f", Qualifier: id })),
    DescribeDBInstances:
      (id) =>
      ({ rds }) =>
        rds.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: id })),
    "DescribeDBInstances by a filter":
      (id) =>
      ({ rds }) =>
        rds.send(new DescribeDBInstancesCommand({ Filters: [{ Name: id, Values: [id] }] })),
    ModifyDBInstance:
      (id) =>
      ({ rds }) =>
        rds.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: id })),
    AssumeRole:
      (id) =>
      ({ sts }) =>
        sts.send(
          new AssumeRoleCommand({
            RoleArn: `arn:aws:iam::123456789012${id}`,
            RoleSessionName: "it",
          }),
        ),
    PutEvents: (id) => () =>
      new EventBridgeClient(aws.config).send(
        new PutEventsCommand({ Entries: [{ EventBusName: id }] }),
      ),
  };
  test.each(Object.entries(calls))("%s", async (_, call) => {
    for (const id of ODD_IDS) {
      const status = await call(id)(aws.clients).then(
        () => 200,
        (error: { $metadata?: { httpStatusCode?: number } }) => error.$metadata?.httpStatusCode,
      );
      expect([id, status]).toEqual([id, expect.toBeOneOf([400, 403, 404])]);
    }
  });
});

test("a body that is no JSON is refused as such", async () => {
  const { endpoint } = aws.config;
  const { accessKeyId, sessionToken } = aws.config.credentials;
  const reply = await fetch(endpoint, {
    method: "POST",
    body: "{",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20310101/eu-west-1/secretsmanager/aws4_request`,
      "x-amz-security-token": sessionToken,
      "x-amz-target": "secretsmanager.GetSecretValue",
      "content-type": "application/x-amz-json-1.1",
    },
  });
  expect(reply.status).toBe(400);
  expect(await reply.json()).toMatchObject({ __type: "SerializationException" });
});

test("schedules are listed by state", async () => {
  const { scheduler } = aws.clients;
  await scheduler.send(schedule({ Name: "on" }));
  await scheduler.send(schedule({ Name: "off", State: "DISABLED" }));
  const names = async (filter: ListSchedulesCommandInput): Promise<unknown> => {
    const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand(filter));
    return Schedules.map(({ Name }) => Name);
  };
  expect(await names({ State: "DISABLED" })).toEqual(["off"]);
  expect(await names({ State: "ENABLED" })).toEqual(["on"]);
  expect(await names({})).toEqual(["off", "on"]);
});

test("a random password of four characters has every kind, and may have a space", async () => {
  const ask = new GetRandomPasswordCommand({ PasswordLength: 4, IncludeSpace: true });
  const { RandomPassword = "" } = await aws.clients.secrets.send(ask);
  expect(RandomPassword).toHaveLength(4);
  for (const kind of [/[a-z]/, /[A-Z]/, /\d/, /[^\w\s]|_/]) expect(RandomPassword).toMatch(kind);
});

describe("a secret whose name ends in a hyphen and six characters", () => {
  const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db1/master-secret";
  beforeAll(async () => {
    await aws.resources["AWS::SecretsManager::Secret"]?.create({
      logicalId: "Master",
      type: "AWS::SecretsManager::Secret",
      properties: { Name: "db1/master-secret", SecretString: "s" },
      physicalName: () => "master",
    });
  });
  const get = (id: string) => aws.clients.secrets.send(new GetSecretValueCommand({ SecretId: id }));

  test("is not found by an ARN that leaves the random end out, as on AWS", async () => {
    await expect(get(arn)).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  });
  test("is found by its name and by its ARN", async () => {
    const { ARN = "" } = await get("db1/master-secret");
    expect(ARN).toMatch(new RegExp(`^${arn}-\\w{6}$`));
    expect((await get(ARN)).SecretString).toBe("s");
  });
});
