import { describe, expect, test } from "vitest";
import { checkRequest } from "../../local/http/request-schema.ts";

const json = (target: string, body: unknown) => ({
  method: "POST",
  url: new URL("http://aws/"),
  headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
  body: Buffer.from(JSON.stringify(body)),
});

const rest = (method: string, path: string, body?: unknown, headers = {}) => ({
  method,
  url: new URL(path, "http://aws"),
  headers: { "content-type": "application/json", ...headers },
  body: Buffer.from(body === undefined ? "" : JSON.stringify(body)),
});

const form = (fields: Record<string, string>) => ({
  method: "POST",
  url: new URL("http://aws/"),
  headers: { "content-type": "application/x-www-form-urlencoded" },
  body: Buffer.from(new URLSearchParams(fields).toString()),
});

const schedule = {
  ScheduleExpression: "at(2031-01-01T00:00:00)",
  FlexibleTimeWindow: { Mode: "OFF" },
  Target: {
    Arn: "arn:aws:lambda:eu-west-1:1:function:f",
    RoleArn: "arn:aws:iam::123456789012:role/r",
  },
};

test.each([
  ["secretsmanager", json("secretsmanager.GetSecretValue", { SecretId: "a" })],
  [
    "secretsmanager",
    json("secretsmanager.RotateSecret", { SecretId: "a", RotationRules: { Duration: "3h" } }),
  ],
  ["scheduler", rest("POST", "/schedules/one", { ...schedule, EndDate: 1_900_000_000 })],
  ["scheduler", rest("GET", "/schedules?ScheduleGroup=leases&MaxResults=100")],
  ["scheduler", rest("DELETE", "/schedules/one?clientToken=t&groupName=leases")],
  ["lambda", rest("POST", "/2015-03-31/functions/f%3Aa/invocations?Qualifier=a", "any payload")],
  ["sts", form({ Action: "GetCallerIdentity", Version: "2011-06-15" })],
  ["rds", form({ Action: "DescribeDBInstances", "Filters.Filter.1.Name": "engine" })],
  ["secretsmanager", json("secretsmanager.NoSuchOperation", { anything: 1 })],
  ["no-such-service", rest("GET", "/")],
])(
  "%s: a request as the SDK sends it, or of no known operation, passes",
  async (service, request) => {
    await expect(checkRequest(service, request)).resolves.toBeUndefined();
  },
);

describe("a request that AWS's model does not allow is refused, with every fault", () => {
  const { Target: _, ...withoutTarget } = schedule;
  test.each([
    [
      "secretsmanager",
      json("secretsmanager.PutSecretValue", { SecretString: 1, Stages: [] }),
      "3 validation errors detected: 'SecretId' must not be null; 'SecretString' is of another type: number; 'Stages' is no member",
    ],
    [
      "secretsmanager",
      json("secretsmanager.PutSecretValue", { SecretId: "a", VersionStages: "AWSPENDING" }),
      "'VersionStages' is not a collection",
    ],
    [
      "secretsmanager",
      json("secretsmanager.RotateSecret", { RotationRules: { AfterDays: 1 } }),
      "'SecretId' must not be null; 'RotationRules.AfterDays' is no member",
    ],
    [
      "rds",
      form({ Action: "ModifyDBInstance", MasterPassword: "p" }),
      "'DBInstanceIdentifier' must not be null; 'MasterPassword' is no member",
    ],
    [
      "scheduler",
      rest("POST", "/schedules/one", withoutTarget),
      "1 validation error detected: 'Target' must not be null",
    ],
    [
      "scheduler",
      rest("POST", "/schedules/one", { ...schedule, Target: { Arn: "a", Role: "r" } }),
      "'Target.RoleArn' must not be null; 'Target.Role' is no member",
    ],
    ["scheduler", rest("GET", "/schedules/one?group=leases"), "'group' is no member"],
    ["sts", form({ Action: "AssumeRole", RoleArn: "r" }), "'RoleSessionName' must not be null"],
    ["rds", form({ Action: "DescribeDBInstances", Instance: "i" }), "'Instance' is no member"],
  ])("%s, %#", async (service, request, message) => {
    await expect(checkRequest(service, request)).rejects.toThrow(message);
  });
});
