import { randomUUID } from "node:crypto";
import {
  CancelRotateSecretCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import type { Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Fate } from "../../local/lambda-pool.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf } from "./clients.ts";
import {
  bundleRotation,
  output,
  rotator,
  SECRETS_MANAGER,
  secretNamed,
  secretOf,
} from "./rotation-app.ts";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

const RETRY_SECONDS = 600;
const STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"];
const KILLS = STEPS.flatMap((step) => [`kill-before ${step}`, `kill-after ${step}`]);
/** One secret for each subject: they are rotated on their own. */
const SECRETS = ["plain", "stuck", "idle", "off", "denied", "daily", "manual", "twice", "token"];
const DAY = 86_400_000;

let bundle: ReturnType<typeof bundleRotation>;
let app: SynthesizedApp;
let runner: Runner;
let administrator: Clients;
let operator: Clients;
/** What becomes of a step. */
let fateOf: (step: string) => Fate | Promise<Fate> = () => "run";

/** Lets the functions go on that wait. */
let release = (): void => undefined;

/** Let the functions wait before their next step. */
function hold(): void {
  const released = new Promise<Fate>((resolve) => {
    release = () => resolve("run");
  });
  fateOf = () => released;
}

function build(stack: Stack): void {
  const names = [...SECRETS, ...KILLS.map((each) => each.replace(" ", "-"))];
  for (const name of names) secretNamed(stack, name);
  const functionOf = (name: string) => rotator(stack, bundle.code, name, "generic");
  const arn = `arn:aws:secretsmanager:${stack.region}:${stack.account}:secret:*`;
  functionOf("rotator").addPermission("Rotate", {
    principal: SECRETS_MANAGER,
    sourceAccount: stack.account,
    sourceArn: arn,
  });
  functionOf("closed");
  const elsewhere = { principal: SECRETS_MANAGER, sourceAccount: "999999999999" };
  functionOf("elsewhere").addPermission("Rotate", elsewhere);
  const otherArn = arn.replace("secret:*", "secret:other-*");
  functionOf("other").addPermission("Rotate", { principal: SECRETS_MANAGER, sourceArn: otherArn });
  const role = new iam.Role(stack, "Operator", { assumedBy: new iam.AccountRootPrincipal() });
  role.addToPolicy(
    new iam.PolicyStatement({ actions: ["secretsmanager:RotateSecret"], resources: ["*"] }),
  );
  output(stack, "OperatorArn", role.roleArn);
}

const functionArn = (name: string): string =>
  `arn:aws:lambda:${runner.region}:${runner.accountId}:function:${name}`;

beforeAll(async () => {
  bundle = bundleRotation();
  app = synthesize(build);
  runner = await startRunner({
    assembly: app.assembly,
    rotationRetrySeconds: RETRY_SECONDS,
    onInvoke: (_, payload) => fateOf((JSON.parse(payload) as { Step: string }).Step),
  });
  administrator = clientsOf(runner, "administrator");
  operator = clientsOf(runner, runner.outputs.OperatorArn ?? "");
});

afterEach(() => {
  release();
  fateOf = () => "run";
});

afterAll(async () => {
  await runner.stop();
  app.remove();
  bundle.remove();
});

const named = (name: string) => secretOf(administrator, name);
const attemptsOf = (name: string) =>
  runner.rotations.attempts.filter(({ secretArn }) => secretArn.includes(`:secret:${name}-`));
const eventsOf = (secretArn: string | undefined): Record<string, string>[] =>
  runner
    .logs("rotator")
    .flatMap(({ line }) => /\bevent (\{.*\})$/.exec(line)?.[1] ?? [])
    .map((event) => JSON.parse(event) as Record<string, string>)
    .filter(({ SecretId }) => SecretId === secretArn);
const failing = (wanted: string) => (step: string) => (step === wanted ? "kill-before" : "run");
const retry = () => runner.rotations.advance(RETRY_SECONDS * 1_000);
const REATTEMPTED = {
  name: "InvalidRequestException",
  message: "A previous rotation isn't complete. That rotation will be reattempted.",
};

test("a rotation is answered at once, and runs the four steps of a function that knows AWS alone", async () => {
  const { rotate, describe: described, value, labels } = named("plain");
  const first = await value();
  const before = await described();
  expect(before).not.toHaveProperty("RotationEnabled");
  const { AWSCURRENT: old } = await labels();
  hold();
  const answer = await rotate({
    RotationLambdaARN: functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 30, Duration: "2h" },
  });
  expect(answer).toMatchObject({ ARN: before.ARN, Name: "plain" });
  const { VersionId = "" } = answer;
  expect(await labels()).toEqual({ AWSCURRENT: old, AWSPENDING: VersionId });
  await expect(value("AWSPENDING")).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
  });
  release();
  await runner.rotations.settled();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: old });
  expect(await value()).toMatchObject({ username: "app" });
  expect((await value()).password).not.toBe(first.password);
  expect(await value("AWSPREVIOUS")).toEqual(first);

  const events = eventsOf(before.ARN);
  const RotationToken = expect.stringMatching(/^[0-9a-zA-Z-]{36,256}$/);
  const common = { SecretId: before.ARN, ClientRequestToken: VersionId, RotationToken };
  expect(events).toEqual(STEPS.map((Step) => ({ Step, ...common })));
  expect(runner.calls).toContainEqual(
    expect.objectContaining({
      principal: "secretsmanager.amazonaws.com",
      action: "lambda:InvokeFunction",
      resource: functionArn("rotator"),
    }),
  );
  const after = await described();
  expect(after).toMatchObject({
    RotationEnabled: true,
    RotationLambdaARN: functionArn("rotator"),
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
  await runner.rotations.settled();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: AWSCURRENT });
});

describe("a function that is killed finds the same version at the next attempt, and completes it", () => {
  test.each(KILLS)("%s", async (kill) => {
    const [fate, wanted] = kill.split(" ");
    const name = kill.replace(" ", "-");
    const { rotate, labels } = named(name);
    let hits = 0;
    fateOf = (step) => (step === wanted && hits++ === 0 ? (fate as Fate) : "run");
    const { VersionId } = await rotate({ RotationLambdaARN: functionArn("rotator") });
    await runner.rotations.idle();
    expect((await labels()).AWSPENDING).toBe(VersionId);
    await retry();
    expect(await labels()).toMatchObject({ AWSCURRENT: VersionId });
    expect(await labels()).not.toHaveProperty("AWSPENDING");
    const message = expect.stringMatching(
      /^RequestId: .* Runtime exited with error: signal: killed$/,
    );
    expect(attemptsOf(name)).toMatchObject([
      { versionId: VersionId, failure: { step: wanted, message } },
      { versionId: VersionId, failure: undefined },
    ]);
  });
});

test("a rotation that fails is attempted again some times, then by the next RotateSecret", async () => {
  const { rotate, describe: described, labels } = named("stuck");
  fateOf = failing("setSecret");
  const { VersionId } = await rotate({ RotationLambdaARN: functionArn("rotator") });
  await runner.rotations.idle();
  const { AWSCURRENT, AWSPENDING } = await labels();
  expect(AWSPENDING).toBe(VersionId);
  expect(await described()).not.toHaveProperty("LastRotatedDate");
  await runner.rotations.advance(DAY);
  await runner.rotations.settled();
  expect(attemptsOf("stuck").map(({ versionId }) => versionId)).toEqual(
    Array.from({ length: 6 }, () => VersionId),
  );
  expect(await labels()).toEqual({ AWSCURRENT, AWSPENDING: VersionId });

  fateOf = () => "run";
  await expect(rotate()).rejects.toMatchObject(REATTEMPTED);
  await runner.rotations.settled();
  expect(await labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: AWSCURRENT });
  hold();
  const next = await rotate();
  await expect(rotate()).rejects.toMatchObject(REATTEMPTED);
  release();
  await runner.rotations.settled();
  expect((await labels()).AWSCURRENT).toBe(next.VersionId);
});

test("without rotating at once, only the test runs, with the value that is there", async () => {
  const { rotate, describe: described, value, labels } = named("idle");
  const before = await labels();
  hold();
  await rotate({
    RotationLambdaARN: functionArn("rotator"),
    RotationRules: { ScheduleExpression: "rate(10 days)" },
    RotateImmediately: false,
  });
  expect(Object.keys(await labels()).sort()).toEqual(["AWSCURRENT", "AWSPENDING"]);
  expect(await value("AWSPENDING")).toEqual(await value());
  release();
  await runner.rotations.settled();
  expect(await labels()).toEqual(before);
  const after = await described();
  expect(after.RotationEnabled).toBe(true);
  expect(after).not.toHaveProperty("LastRotatedDate");
  expect(after.RotationRules).toEqual({ ScheduleExpression: "rate(10 days)" });
  expect(eventsOf(after.ARN).map(({ Step }) => Step)).toEqual(["testSecret"]);
  const tested = runner.logs("rotator").flatMap(({ line }) => /tested (.*)$/.exec(line)?.[1] ?? []);
  expect(tested).toContain(JSON.stringify(await value()));

  await runner.rotations.advance(10 * DAY);
  const [, rotation] = attemptsOf("idle");
  expect((await labels()).AWSCURRENT).toBe(rotation?.versionId);
  expect((await described()).RotationRules).toEqual({
    AutomaticallyAfterDays: 10,
    ScheduleExpression: "rate(10 days)",
  });
});

test("turned off, rotation leaves its labels; those gone, it can be turned on again", async () => {
  const { rotate, describe: described, labels } = named("off");
  const { secrets: client } = administrator;
  const cancel = new CancelRotateSecretCommand({ SecretId: "off" });
  await expect(client.send(cancel)).rejects.toMatchObject({ name: "InvalidRequestException" });
  fateOf = failing("testSecret");
  const { VersionId } = await rotate({
    RotationLambdaARN: functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 1 },
  });
  await runner.rotations.idle();
  fateOf = () => "run";
  expect(await client.send(cancel)).toMatchObject({ Name: "off", VersionId });
  const off = await described();
  expect(off).toMatchObject({
    RotationEnabled: false,
    RotationRules: { AutomaticallyAfterDays: 1 },
  });
  expect(off).not.toHaveProperty("NextRotationDate");
  await runner.rotations.advance(3 * DAY);
  expect(attemptsOf("off")).toHaveLength(1);
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
  await runner.rotations.settled();
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
    await expect(rotate({ RotationLambdaARN: functionArn(name) })).rejects.toMatchObject(error);
    expect(await described()).not.toHaveProperty("RotationEnabled");
  });

  test("a caller who may not invoke the function", async () => {
    const rotate = secretOf(operator, "denied").rotate({
      RotationLambdaARN: functionArn("rotator"),
    });
    await expect(rotate).rejects.toThrow("not authorized to perform: lambda:InvokeFunction");
    await expect(secretOf(operator, "denied").describe()).rejects.toThrow(
      "not authorized to perform: secretsmanager:DescribeSecret",
    );
  });

  test("no function, bad rules, a bad token", async () => {
    const { rotate, describe: described } = named("denied");
    await expect(rotate()).rejects.toMatchObject({
      name: "InvalidRequestException",
      message: "No Lambda rotation function ARN is associated with this secret.",
    });
    const RotationLambdaARN = functionArn("rotator");
    const RotationRules = { ScheduleExpression: "rate(1 hour)" };
    await expect(rotate({ RotationLambdaARN, RotationRules })).rejects.toMatchObject({
      name: "InvalidParameterException",
    });
    await expect(rotate({ RotationLambdaARN, ClientRequestToken: "short" })).rejects.toThrow(
      "ClientRequestToken must be 32-64 characters long.",
    );
    expect(await described()).not.toHaveProperty("RotationEnabled");
  });
});

test("a schedule rotates day by day; what fails is attempted again in the next window", async () => {
  const { rotate, describe: described, labels } = named("daily");
  await rotate({
    RotationLambdaARN: functionArn("rotator"),
    RotationRules: { ScheduleExpression: "cron(0 6 * * ? *)" },
  });
  await runner.rotations.advance(3 * DAY);
  expect(attemptsOf("daily")).toHaveLength(4);
  const versions = new Set(attemptsOf("daily").map(({ versionId }) => versionId));
  expect(versions.size).toBe(4);
  const { NextRotationDate: due } = await described();

  fateOf = failing("createSecret");
  await runner.rotations.advance(DAY);
  const stuck = (await labels()).AWSPENDING;
  expect(attemptsOf("daily")).toHaveLength(4 + 6);
  expect((await described()).NextRotationDate).toEqual(due);
  fateOf = () => "run";
  await runner.rotations.advance(DAY);
  expect(attemptsOf("daily").at(-1)).toMatchObject({ versionId: stuck, failure: undefined });
  expect((await labels()).AWSCURRENT).toBe(stuck);
  expect(Number((await described()).NextRotationDate)).toBe(Number(due) + 2 * DAY);
});

test("a new value by hand puts the next rotation off", async () => {
  const { rotate, describe: described } = named("manual");
  await rotate({
    RotationLambdaARN: functionArn("rotator"),
    RotationRules: { AutomaticallyAfterDays: 5 },
  });
  await runner.rotations.advance(4 * DAY);
  const { LastRotatedDate, NextRotationDate: due } = await described();
  const value = JSON.stringify({ username: "app", password: "by hand" });
  const put = new PutSecretValueCommand({ SecretId: "manual", SecretString: value });
  await administrator.secrets.send(put);
  const after = await described();
  expect(after.LastRotatedDate).toEqual(LastRotatedDate);
  expect(Number(after.NextRotationDate)).toBe(Number(due) + 4 * DAY);
});

test("the same request again is the same rotation", async () => {
  const { rotate, labels } = named("twice");
  const ClientRequestToken = randomUUID();
  const request = { RotationLambdaARN: functionArn("rotator"), ClientRequestToken };
  hold();
  const answers = [await rotate(request), await rotate(request)];
  release();
  await runner.rotations.settled();
  answers.push(await rotate(request));
  await runner.rotations.settled();
  expect(answers.map(({ VersionId }) => VersionId)).toEqual(
    Array.from({ length: 3 }, () => ClientRequestToken),
  );
  expect(attemptsOf("twice")).toHaveLength(1);
  expect((await labels()).AWSCURRENT).toBe(ClientRequestToken);
});

test("a rotation token is good for its rotation alone", async () => {
  const { rotate, describe: described } = named("token");
  await rotate({ RotationLambdaARN: functionArn("rotator") });
  await runner.rotations.settled();
  const [event] = eventsOf((await described()).ARN);
  const put = new PutSecretValueCommand({
    SecretId: "token",
    SecretString: "{}",
    RotationToken: event?.RotationToken,
  });
  await expect(administrator.secrets.send(put)).rejects.toMatchObject({
    name: "InvalidParameterException",
  });
});
