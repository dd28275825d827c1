import {
  CancelRotateSecretCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { secretOf } from "./rotation-app.ts";
import { DAY, REATTEMPTED, type RotationStage, rotationStage } from "./rotation-stage.ts";

let stage: RotationStage;
beforeAll(async () => {
  stage = await rotationStage(["off", "denied", "daily", "manual"]);
});
afterEach(() => stage.release());
afterAll(() => stage.end());

const named = (name: string) => secretOf(stage.administrator, name);
const failing = (wanted: string) => (step: string) => (step === wanted ? "kill-before" : "run");

test("turned off, rotation leaves its labels; those gone, it can be turned on again", async () => {
  const { rotate, describe: described, labels } = named("off");
  const { secrets: client } = stage.administrator;
  const cancel = new CancelRotateSecretCommand({ SecretId: "off" });
  await expect(client.send(cancel)).rejects.toMatchObject({ name: "InvalidRequestException" });
  stage.decide(failing("testSecret"));
  const { VersionId } = await rotate({
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 1 },
  });
  await stage.runner.rotations.idle();
  stage.release();
  expect(await client.send(cancel)).toMatchObject({ Name: "off", VersionId });
  const off = await described();
  expect(off).toMatchObject({
    RotationEnabled: false,
    RotationRules: { AutomaticallyAfterDays: 1 },
  });
  expect(off).not.toHaveProperty("NextRotationDate");
  await stage.runner.rotations.advance(3 * DAY);
  expect(stage.attemptsOf("off")).toHaveLength(1);
  expect((await labels()).AWSPENDING).toBe(VersionId);
  await expect(rotate()).rejects.toMatchObject(REATTEMPTED);
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId: "off",
      VersionStage: "AWSPENDING",
      RemoveFromVersionId: VersionId,
    }),
  );
  const next = await rotate();
  await stage.runner.rotations.finished();
  expect((await labels()).AWSCURRENT).toBe(next.VersionId);
});

describe("a rotation that nobody allows changes nothing", () => {
  const CLOSED = {
    name: "AccessDeniedException",
    message:
      "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.",
  };
  test.each([
    ["a function without a policy", "closed", CLOSED],
    ["a policy for another account", "elsewhere", CLOSED],
    ["a policy for another secret", "other", CLOSED],
    ["no such function", "nowhere", CLOSED],
  ])("%s", async (_, name, error) => {
    const { rotate, describe: described } = named("denied");
    await expect(rotate({ RotationLambdaARN: stage.functionArn(name) })).rejects.toMatchObject(
      error,
    );
    expect(await described()).not.toHaveProperty("RotationEnabled");
  });

  test("a caller who may not invoke the function", async () => {
    const rotate = secretOf(stage.operator, "denied").rotate({
      RotationLambdaARN: stage.functionArn("rotator"),
    });
    await expect(rotate).rejects.toThrow(" lambda:InvokeFunction ");
    await expect(secretOf(stage.operator, "denied").describe()).rejects.toThrow(
      " secretsmanager:DescribeSecret ",
    );
  });

  test("a missing function, bad rules or a bad token", async () => {
    const { rotate, describe: described } = named("denied");
    await expect(rotate()).rejects.toMatchObject({
      name: "InvalidRequestException",
      message: "No Lambda rotation function ARN is associated with this secret.",
    });
    const RotationLambdaARN = stage.functionArn("rotator");
    const RotationRules = { ScheduleExpression: "rate(1 hour)" };
    await expect(rotate({ RotationLambdaARN, RotationRules })).rejects.toMatchObject({
      name: "InvalidParameterException",
    });
    await expect(rotate({ RotationLambdaARN, ClientRequestToken: "short" })).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining("ClientRequestToken"),
    });
    expect(await described()).not.toHaveProperty("RotationEnabled");
  });
});

test("a schedule rotates day by day; what fails is attempted again in the next window", async () => {
  const { rotate, describe: described, labels } = named("daily");
  await rotate({
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { ScheduleExpression: "cron(0 6 * * ? *)" },
  });
  await stage.runner.rotations.finished();
  // to the end of the first window, whatever the time of day
  const { LastRotatedDate: start, NextRotationDate: end } = await described();
  await stage.runner.rotations.advance(Number(end) - Number(start));
  await stage.runner.rotations.advance(2 * DAY);
  expect(stage.attemptsOf("daily")).toHaveLength(4);
  const versions = new Set(stage.attemptsOf("daily").map(({ versionId }) => versionId));
  expect(versions.size).toBe(4);
  const { NextRotationDate: due } = await described();

  stage.decide(failing("createSecret"));
  await stage.runner.rotations.advance(DAY);
  const stuck = (await labels()).AWSPENDING;
  expect(stage.attemptsOf("daily")).toHaveLength(4 + 6);
  expect((await described()).NextRotationDate).toEqual(due);
  stage.release();
  await stage.runner.rotations.advance(DAY);
  expect(stage.attemptsOf("daily").at(-1)).toMatchObject({ versionId: stuck, failure: undefined });
  expect((await labels()).AWSCURRENT).toBe(stuck);
  expect(Number((await described()).NextRotationDate)).toBe(Number(due) + 2 * DAY);
});

test("a new value by hand puts the next rotation off", async () => {
  // away from midnight, where the clock stands
  await stage.runner.rotations.advance(DAY / 2);
  const { rotate, describe: described } = named("manual");
  await rotate({
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 5 },
  });
  await stage.runner.rotations.advance(4 * DAY);
  const { LastRotatedDate, NextRotationDate: due } = await described();
  const value = JSON.stringify({ username: "app", password: "by hand" });
  const put = new PutSecretValueCommand({ SecretId: "manual", SecretString: value });
  await stage.administrator.secrets.send(put);
  const after = await described();
  expect(after.LastRotatedDate).toEqual(LastRotatedDate);
  expect(Number(after.NextRotationDate)).toBe(Number(due) + 4 * DAY);
});
