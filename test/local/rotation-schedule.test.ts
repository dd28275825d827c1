import { Duration, type Stack } from "aws-cdk-lib";
import * as secrets from "aws-cdk-lib/aws-secretsmanager";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Fate } from "../../local/lambda/lambda-pool.ts";
import { type Runner, type RunnerOptions, startRunner } from "../../local/runner.ts";
import { clientsOf } from "./clients.ts";
import { bundleRotation, rotator, SECRETS_MANAGER, secretNamed, secretOf } from "./rotation-app.ts";
import { REATTEMPTED } from "./rotation-stage.ts";
import { synthesize } from "./small-app.ts";

const DAY = 86_400_000;

let bundle: ReturnType<typeof bundleRotation>;
beforeAll(() => {
  bundle = bundleRotation();
});
afterAll(() => bundle.remove());

const endings: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

type Fill = (stack: Stack) => void;

function assemblyOf(fill: Fill): string {
  const app = synthesize(fill);
  endings.push(() => app.remove());
  return app.assembly;
}

async function start(fill: Fill, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const runner = await startRunner({ assembly: assemblyOf(fill), ...options });
  endings.push(() => runner.stop());
  return runner;
}

/** A secret that CDK rotates, every so many days; without any days, a secret that it does not. */
const every =
  (days?: number, changes: Partial<secrets.CfnRotationScheduleProps> = {}): Fill =>
  (stack) => {
    const secret = secretNamed(stack, "scheduled");
    const rotationLambda = rotator(stack, bundle.code, "rotator", "generic");
    if (days === undefined) return;
    const schedule = secret.addRotationSchedule("Rotation", {
      rotationLambda,
      automaticallyAfter: Duration.days(days),
    });
    const resource = schedule.node.defaultChild as secrets.CfnRotationSchedule;
    Object.assign(resource, changes);
  };

const scheduled = (runner: Runner) => secretOf(clientsOf(runner, "administrator"), "scheduled");
const versionsOf = (runner: Runner): string[] =>
  runner.rotations.attempts.map(({ versionId }) => versionId);

test("a schedule of the template rotates at once and by time, until it goes", async () => {
  const runner = await start(every(10));
  await runner.rotations.finished();
  const { describe, labels } = scheduled(runner);
  const [first] = versionsOf(runner);
  expect((await labels()).AWSCURRENT).toBe(first);
  expect(await describe()).toMatchObject({
    RotationEnabled: true,
    RotationRules: { ScheduleExpression: "rate(10 days)", AutomaticallyAfterDays: 10 },
  });
  await runner.rotations.advance(10 * DAY);
  const [, second] = versionsOf(runner);
  expect(await labels()).toEqual({ AWSCURRENT: second, AWSPREVIOUS: first });

  await runner.update(assemblyOf(every(20)));
  await runner.rotations.finished();
  expect(versionsOf(runner)).toHaveLength(3);
  await runner.rotations.advance(19 * DAY);
  expect(versionsOf(runner)).toHaveLength(3);
  await runner.rotations.advance(DAY);
  expect(versionsOf(runner)).toHaveLength(4);

  await runner.update(assemblyOf(every()));
  const off = await describe();
  expect(off.RotationEnabled).toBe(false);
  expect(off).not.toHaveProperty("NextRotationDate");
  await runner.rotations.advance(100 * DAY);
  expect(versionsOf(runner)).toHaveLength(4);
  await runner.delete();
});

test("a schedule that does not rotate at once tests its function", async () => {
  const runner = await start(every(10, { rotateImmediatelyOnUpdate: false }));
  await runner.rotations.finished();
  const attempts = runner.rotations.attempts.map(({ steps, failure }) => ({ steps, failure }));
  expect(attempts).toEqual([{ steps: ["testSecret"], failure: undefined }]);
  expect(Object.keys(await scheduled(runner).labels())).toEqual(["AWSCURRENT"]);
});

test("a first rotation that fails leaves the stack alone, and an update of it is rolled back", async () => {
  const lines: string[] = [];
  let fate: Fate = "kill-before";
  const runner = await start(every(10), {
    rotationRetrySeconds: 600,
    onInvoke: () => fate,
    onProgress: (line) => void lines.push(line),
  });
  await runner.rotations.idle();
  const failed = "the rotation of scheduled failed at createSecret: ";
  expect(lines.filter((line) => line.startsWith(failed))).toHaveLength(1);
  await expect(runner.update(assemblyOf(every(20)))).rejects.toThrow(REATTEMPTED.message);
  await runner.rotations.idle(); // the refused request has started another attempt
  fate = "run";
  await runner.rotations.advance(600_000);
  await runner.update(assemblyOf(every(20)));
  await runner.rotations.finished();
  expect((await scheduled(runner).describe()).RotationRules).toMatchObject({
    ScheduleExpression: "rate(20 days)",
  });
});

test("a function that does nothing never completes a rotation", async () => {
  const idle: Fill = (stack) => {
    every(10)(stack);
    const made = stack.node.findChild("rotator").node.defaultChild;
    Object.assign(made as object, { handler: "index.nothing" });
  };
  const runner = await start(idle, { rotationRetrySeconds: 0 });
  await runner.rotations.finished();
  expect(runner.rotations.attempts).toHaveLength(6);
  expect(new Set(versionsOf(runner)).size).toBe(1);
  expect(runner.rotations.attempts[0]?.failure).toEqual({
    step: "finishSecret",
    message: "AWSCURRENT is not on the new version, or AWSPENDING is on another one",
  });
});

test.each<[string, Fill, string]>([
  [
    "without the function's permission",
    (stack) => {
      const { functionArn: rotationLambdaArn } = rotator(stack, bundle.code, "rotator", "generic");
      const { secretArn: secretId } = secretNamed(stack, "scheduled");
      new secrets.CfnRotationSchedule(stack, "Rotation", { secretId, rotationLambdaArn });
    },
    "cannot invoke",
  ],
  [
    "with rules that Secrets Manager does not take",
    (stack) => {
      const made = rotator(stack, bundle.code, "rotator", "generic");
      made.addPermission("Rotate", { principal: SECRETS_MANAGER });
      const schedule = new secrets.CfnRotationSchedule(stack, "Rotation", {
        secretId: secretNamed(stack, "scheduled").secretArn,
        rotationLambdaArn: made.functionArn,
        rotationRules: { scheduleExpression: "cron(30 1 * * ? *)" },
      });
      schedule.node.addDependency(made);
    },
    "cron(30 1 * * ? *)",
  ],
])("a schedule %s ends the start with the reason", async (_, fill, reason) => {
  await expect(startRunner({ assembly: assemblyOf(fill) })).rejects.toThrow(reason);
});

test("key, replicas and tags of a secret are shown, and change in place", async () => {
  const tagged =
    (value: string): Fill =>
    (stack) => {
      const { node } = secretNamed(stack, "tagged");
      Object.assign(node.defaultChild as object, {
        kmsKeyId: "alias/mine",
        replicaRegions: [{ region: "eu-central-1" }],
      });
      (node.defaultChild as secrets.CfnSecret).tags.setTag("aws:rds:primaryDBInstanceArn", value);
    };
  const runner = await start(tagged("arn:one"));
  const { describe } = secretOf(clientsOf(runner, "administrator"), "tagged");
  expect(await describe()).toMatchObject({
    KmsKeyId: "alias/mine",
    PrimaryRegion: "eu-west-1",
    ReplicationStatus: [{ Region: "eu-central-1", Status: "InSync" }],
    Tags: [{ Key: "aws:rds:primaryDBInstanceArn", Value: "arn:one" }],
  });
  await runner.update(assemblyOf(tagged("arn:two")));
  expect((await describe()).Tags).toMatchObject([{ Value: "arn:two" }]);
});
