import { randomUUID } from "node:crypto";
import { PutSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Fate } from "../../local/lambda/lambda-pool.ts";
import { secretOf } from "./rotation-app.ts";
import {
  DAY,
  REATTEMPTED,
  RETRY_SECONDS,
  type RotationStage,
  rotationStage,
  STEPS,
} from "./rotation-stage.ts";

const KILLS = STEPS.flatMap((step) => [`kill-before ${step}`, `kill-after ${step}`]);

let stage: RotationStage;
beforeAll(async () => {
  stage = await rotationStage([
    "plain",
    "stuck",
    "idle",
    "twice",
    "token",
    ...KILLS.map((each) => each.replace(" ", "-")),
  ]);
});
afterEach(() => stage.release());
afterAll(() => stage.end());

const named = (name: string) => secretOf(stage.administrator, name);
const failing = (wanted: string) => (step: string) => (step === wanted ? "kill-before" : "run");
const retry = () => stage.runner.rotations.advance(RETRY_SECONDS * 1_000);

test("a rotation is answered at once, and runs the four steps of a function that knows AWS alone", async () => {
  const { rotate, describe: described, value, labels } = named("plain");
  const first = await value();
  const before = await described();
  expect(before).not.toHaveProperty("RotationEnabled");
  const { AWSCURRENT: old } = await labels();
  stage.hold();
  const answer = await rotate({
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 30, Duration: "2h" },
  });
  expect(answer).toMatchObject({ ARN: before.ARN, Name: "plain" });
  const { VersionId = "" } = answer;
  expect(await labels()).toEqual({ AWSCURRENT: old, AWSPENDING: VersionId });
  await expect(value("AWSPENDING")).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: expect.stringContaining("AWSPENDING"),
  });
  stage.release();
  await stage.runner.rotations.finished();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: old });
  expect(await value()).toMatchObject({ username: "app" });
  expect((await value()).password).not.toBe(first.password);
  expect(await value("AWSPREVIOUS")).toEqual(first);

  const events = stage.eventsOf(before.ARN);
  const RotationToken = expect.stringMatching(/^[0-9a-zA-Z-]{36,256}$/);
  const common = { SecretId: before.ARN, ClientRequestToken: VersionId, RotationToken };
  expect(events).toEqual(STEPS.map((Step) => ({ Step, ...common })));
  expect(stage.runner.calls).toContainEqual(
    expect.objectContaining({
      principal: "secretsmanager.amazonaws.com",
      action: "lambda:InvokeFunction",
      resource: stage.functionArn("rotator"),
    }),
  );
  const after = await described();
  expect(after).toMatchObject({
    RotationEnabled: true,
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 30, Duration: "2h" },
    Description: "of plain",
  });
  const due = Math.floor((after.LastRotatedDate?.getTime() ?? 0) / DAY) * DAY + 30 * DAY;
  expect(after.NextRotationDate?.toISOString()).toBe(new Date(due + 7_199_000).toISOString());
  expect(after.LastChangedDate?.getTime()).toBeGreaterThanOrEqual(Number(before.LastChangedDate));
});

test("one rotation follows another, with what is configured", async () => {
  const { rotate, labels } = named("plain");
  const { AWSCURRENT } = await labels();
  const { VersionId } = await rotate();
  await stage.runner.rotations.finished();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: AWSCURRENT });
});

describe("a function that is killed finds the same version at the next attempt, and completes it", () => {
  test.each(KILLS)("%s", async (kill) => {
    const [fate, wanted] = kill.split(" ");
    const name = kill.replace(" ", "-");
    const { rotate, labels } = named(name);
    let hits = 0;
    stage.decide((step) => (step === wanted && hits++ === 0 ? (fate as Fate) : "run"));
    const { VersionId } = await rotate({ RotationLambdaARN: stage.functionArn("rotator") });
    await stage.runner.rotations.idle();
    expect((await labels()).AWSPENDING).toBe(VersionId);
    await retry();
    expect(await labels()).toMatchObject({ AWSCURRENT: VersionId });
    expect(await labels()).not.toHaveProperty("AWSPENDING");
    const message = expect.stringMatching(
      /^RequestId: .* Runtime exited with error: signal: killed$/,
    );
    expect(stage.attemptsOf(name)).toMatchObject([
      { versionId: VersionId, failure: { step: wanted, message } },
      { versionId: VersionId, failure: undefined },
    ]);
  });
});

test("a rotation that fails is attempted again some times, then by the next RotateSecret", async () => {
  const { rotate, describe: described, labels } = named("stuck");
  stage.decide(failing("setSecret"));
  const { VersionId } = await rotate({ RotationLambdaARN: stage.functionArn("rotator") });
  await stage.runner.rotations.idle();
  const { AWSCURRENT, AWSPENDING } = await labels();
  expect(AWSPENDING).toBe(VersionId);
  expect(await described()).not.toHaveProperty("LastRotatedDate");
  await stage.runner.rotations.advance(DAY);
  await stage.runner.rotations.finished();
  expect(stage.attemptsOf("stuck").map(({ versionId }) => versionId)).toEqual(
    Array.from({ length: 6 }, () => VersionId),
  );
  expect(await labels()).toEqual({ AWSCURRENT, AWSPENDING: VersionId });

  stage.release();
  await expect(rotate()).rejects.toMatchObject(REATTEMPTED);
  await stage.runner.rotations.finished();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: AWSCURRENT });
  stage.hold();
  const next = await rotate();
  await expect(rotate()).rejects.toMatchObject(REATTEMPTED);
  stage.release();
  await stage.runner.rotations.finished();
  expect((await labels()).AWSCURRENT).toBe(next.VersionId);
});

test("without rotating at once, only the test runs, with the value that is there", async () => {
  const { rotate, describe: described, value, labels } = named("idle");
  const before = await labels();
  stage.hold();
  await rotate({
    RotationLambdaARN: stage.functionArn("rotator"),
    RotationRules: { ScheduleExpression: "rate(10 days)" },
    RotateImmediately: false,
  });
  expect(Object.keys(await labels()).sort()).toEqual(["AWSCURRENT", "AWSPENDING"]);
  expect(await value("AWSPENDING")).toEqual(await value());
  stage.release();
  await stage.runner.rotations.finished();
  expect(await labels()).toEqual(before);
  const after = await described();
  expect(after.RotationEnabled).toBe(true);
  expect(after).not.toHaveProperty("LastRotatedDate");
  expect(after.RotationRules).toEqual({ ScheduleExpression: "rate(10 days)" });
  expect(stage.eventsOf(after.ARN).map(({ Step }) => Step)).toEqual(["testSecret"]);
  const tested = stage.runner
    .logs("rotator")
    .flatMap(({ line }) => /tested (.*)$/.exec(line)?.[1] ?? []);
  expect(tested).toContain(JSON.stringify(await value()));

  await stage.runner.rotations.advance(10 * DAY);
  const [, rotation] = stage.attemptsOf("idle");
  expect((await labels()).AWSCURRENT).toBe(rotation?.versionId);
  expect((await described()).RotationRules).toEqual({
    AutomaticallyAfterDays: 10,
    ScheduleExpression: "rate(10 days)",
  });
});

test("the same request again is the same rotation", async () => {
  const { rotate, labels } = named("twice");
  const ClientRequestToken = randomUUID();
  const request = { RotationLambdaARN: stage.functionArn("rotator"), ClientRequestToken };
  stage.hold();
  const answers = [await rotate(request), await rotate(request)];
  stage.release();
  await stage.runner.rotations.finished();
  answers.push(await rotate(request));
  await stage.runner.rotations.finished();
  expect(answers.map(({ VersionId }) => VersionId)).toEqual(
    Array.from({ length: 3 }, () => ClientRequestToken),
  );
  expect(stage.attemptsOf("twice")).toHaveLength(1);
  expect((await labels()).AWSCURRENT).toBe(ClientRequestToken);
});

test("a rotation token is good for its rotation alone", async () => {
  const { rotate, describe: described } = named("token");
  await rotate({ RotationLambdaARN: stage.functionArn("rotator") });
  await stage.runner.rotations.finished();
  const [event] = stage.eventsOf((await described()).ARN);
  const put = new PutSecretValueCommand({
    SecretId: "token",
    SecretString: "{}",
    RotationToken: event?.RotationToken,
  });
  await expect(stage.administrator.secrets.send(put)).rejects.toMatchObject({
    name: "InvalidParameterException",
  });
});
