import {
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";
import {
  CreateScheduleCommand,
  DeleteScheduleGroupCommand,
  ListSchedulesCommand,
} from "@aws-sdk/client-scheduler";
import { GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { CfnOutput, CustomResource, RemovalPolicy, type Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import * as secrets from "aws-cdk-lib/aws-secretsmanager";
import { Provider } from "aws-cdk-lib/custom-resources";
import { afterEach, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { clientsOf, invoke } from "./clients.ts";
import { synthesize } from "./small-app.ts";

const endings: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

type Fill = (stack: Stack, code: string) => void;

function assemblyOf(fill: Fill): string {
  const app = synthesize(fill);
  endings.push(() => app.remove());
  return app.assembly;
}

async function start(fill: Fill): Promise<Runner> {
  const runner = await startRunner({ assembly: assemblyOf(fill) });
  endings.push(() => runner.stop());
  return runner;
}

/** A function with a published version behind an alias, and what it is told. */
const withFunction =
  (word: string, more: Fill = () => {}): Fill =>
  (stack, code) => {
    const echo = new lambda.Function(stack, "Echo", {
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: lambda.Code.fromAsset(code),
      environment: { WORD: word },
    });
    // CDK's default role has a managed policy, which the runner ignores
    const alias = new lambda.Alias(stack, "Alias", {
      aliasName: "live",
      version: echo.currentVersion,
    });
    new CfnOutput(stack, "AliasArn", { value: alias.functionArn }).overrideLogicalId("AliasArn");
    more(stack, code);
  };

const ECHO = "Echo11F3FB29";

const wordOf = (answer: Record<string, unknown> | undefined): unknown =>
  (answer?.env as Record<string, string> | undefined)?.WORD;

test("an updated function runs in new environments, behind its alias as a new version", async () => {
  const runner = await start(withFunction("before"));
  const administrator = clientsOf(runner, "administrator");
  const { AliasArn = "" } = runner.outputs;
  const [idle, live] = [
    await invoke(administrator, ECHO, {}),
    await invoke(administrator, AliasArn, {}),
  ];
  expect(live.ExecutedVersion).toBe("1");
  await runner.update(assemblyOf(withFunction("after")));
  const now = await invoke(administrator, ECHO, {});
  expect([wordOf(idle.answer), wordOf(now.answer)]).toEqual(["before", "after"]);
  expect(now.answer?.pid).not.toBe(idle.answer?.pid);
  const moved = await invoke(administrator, AliasArn, {});
  expect([moved.ExecutedVersion, wordOf(moved.answer)]).toEqual(["2", "after"]);
  const former = invoke(administrator, AliasArn.replace(/live$/, "1"), {});
  await expect(former).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  // both have printed into one log, which outlives the function
  const lines = runner.logs(ECHO).length;
  await runner.delete();
  expect(lines).toBeGreaterThanOrEqual(4);
  expect(runner.logs(ECHO)).toHaveLength(lines);
});

test("a version that a rollback returns to is as it was published", async () => {
  const runner = await start(withFunction("before"));
  const impossible: Fill = (stack) => {
    const role = new iam.Role(stack, "Late", { assumedBy: new iam.AccountRootPrincipal() });
    role.addManagedPolicy(iam.ManagedPolicy.fromAwsManagedPolicyName("AdministratorAccess"));
    role.node.addDependency(stack.node.findChild("Alias"));
  };
  await expect(runner.update(assemblyOf(withFunction("after", impossible)))).rejects.toThrow(
    "AdministratorAccess",
  );
  const administrator = clientsOf(runner, "administrator");
  const live = await invoke(administrator, runner.outputs.AliasArn ?? "", {});
  expect([live.ExecutedVersion, wordOf(live.answer)]).toEqual(["1", "before"]);
  expect(wordOf((await invoke(administrator, ECHO, {})).answer)).toBe("before");
  // the number of the version that was made in between is not used again
  await runner.update(assemblyOf(withFunction("later")));
  expect((await invoke(administrator, runner.outputs.AliasArn ?? "", {})).ExecutedVersion).toBe(
    "3",
  );
});

const withCustom =
  (count: number): Fill =>
  (stack, code) => {
    const onEventHandler = new lambda.Function(stack, "Handler", {
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: lambda.Code.fromAsset(code),
    });
    const { serviceToken } = new Provider(stack, "Provider", { onEventHandler });
    new CustomResource(stack, "Custom", { serviceToken, properties: { Count: count } });
  };

test("a custom resource is told of updates and deletions as CloudFormation tells it", async () => {
  const runner = await start(withCustom(1));
  await runner.update(assemblyOf(withCustom(1)));
  await runner.update(assemblyOf(withCustom(2)));
  await runner.delete();
  const events = runner
    .logs()
    .flatMap(({ line }) => /\bevent (\{.*\})$/.exec(line)?.[1] ?? [])
    .map((event) => JSON.parse(event) as Record<string, unknown>);
  const ServiceToken = expect.stringContaining(":function:");
  expect(events).toMatchObject([
    { RequestType: "Create", ResourceProperties: { ServiceToken, Count: "1" } },
    {
      RequestType: "Update",
      PhysicalResourceId: "made",
      ResourceProperties: { ServiceToken, Count: "2" },
      OldResourceProperties: { ServiceToken, Count: "1" },
    },
    {
      RequestType: "Delete",
      PhysicalResourceId: "made",
      ResourceProperties: { ServiceToken, Count: "2" },
    },
  ]);
  expect(events[0]).not.toHaveProperty("PhysicalResourceId");
  expect(new Set(events.map(({ StackId }) => StackId)).size).toBe(1);
});

const withSecret =
  (passwordLength: number, description = "one"): Fill =>
  (stack) => {
    const secret = new secrets.Secret(stack, "Secret", {
      description,
      generateSecretString: { passwordLength },
    });
    new CfnOutput(stack, "Arn", { value: secret.secretArn }).overrideLogicalId("Arn");
  };

test("a secret keeps its value through an update, and another way to make it is refused", async () => {
  const runner = await start(withSecret(32));
  const { secrets: client } = clientsOf(runner, "administrator");
  const read = async () =>
    (await client.send(new GetSecretValueCommand({ SecretId: runner.outputs.Arn }))).SecretString;
  const before = await read();
  await runner.update(assemblyOf(withSecret(32, "two")));
  expect(await read()).toBe(before);
  await expect(runner.update(assemblyOf(withSecret(40)))).rejects.toThrow(
    "GenerateSecretString of AWS::SecretsManager::Secret (SecretA720EF05)",
  );
});

/** A group that outlives the stack, and a role that may delete it, or lacks half of what it takes. */
const withGroup =
  (scheduleGroupName: string): Fill =>
  (stack, code) => {
    const group = new scheduler.ScheduleGroup(stack, "Group", {
      scheduleGroupName,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    const target = new lambda.Function(stack, "Target", {
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: lambda.Code.fromAsset(code),
    });
    const role = new iam.Role(stack, "TargetRole", {
      assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com"),
    });
    for (const id of ["Remover", "Half"]) {
      const remover = new iam.Role(stack, id, { assumedBy: new iam.AccountRootPrincipal() });
      const schedules = `arn:aws:scheduler:*:*:schedule/${scheduleGroupName}/*`;
      const both = ["scheduler:DeleteScheduleGroup", "scheduler:DeleteSchedule"];
      remover.addToPolicy(
        new iam.PolicyStatement({
          actions: id === "Half" ? both.slice(0, 1) : both,
          resources: [group.scheduleGroupArn, schedules],
        }),
      );
      new CfnOutput(stack, `${id}Arn`, { value: remover.roleArn }).overrideLogicalId(`${id}Arn`);
    }
    new CfnOutput(stack, "TargetArn", { value: target.functionArn }).overrideLogicalId("TargetArn");
    new CfnOutput(stack, "RoleArn", { value: role.roleArn }).overrideLogicalId("RoleArn");
  };

async function scheduleIn(runner: Runner, GroupName: string): Promise<void> {
  const { TargetArn: Arn, RoleArn } = runner.outputs;
  await clientsOf(runner, "administrator").scheduler.send(
    new CreateScheduleCommand({
      Name: "far",
      GroupName,
      ScheduleExpression: "at(2099-01-01T00:00:00)",
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: { Arn, RoleArn },
    }),
  );
}

test("a schedule group is deleted with its schedules by callers that may delete both", async () => {
  const runner = await start(withGroup("leases"));
  await scheduleIn(runner, "leases");
  const remove = new DeleteScheduleGroupCommand({ Name: "leases" });
  await expect(
    clientsOf(runner, runner.outputs.HalfArn ?? "").scheduler.send(remove),
  ).rejects.toThrow(
    "scheduler:DeleteSchedule on resource: arn:aws:scheduler:eu-west-1:123456789012:schedule/leases/*",
  );
  const { scheduler: remover } = clientsOf(runner, runner.outputs.RemoverArn ?? "");
  await remover.send(remove);
  await expect(remover.send(remove)).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  const { scheduler: client } = clientsOf(runner, "administrator");
  const left = await client.send(new ListSchedulesCommand({}));
  expect(left.Schedules).toEqual([]);
  await runner.delete();
});

test("a kept schedule group blocks a new group of its name only", async () => {
  const runner = await start(withGroup("leases"));
  await scheduleIn(runner, "leases");
  await runner.delete();
  await expect(runner.create(assemblyOf(withGroup("leases")))).rejects.toThrow(
    "Schedule group leases already exists.",
  );
  await runner.create(assemblyOf(withGroup("others")));
  const { scheduler: client } = clientsOf(runner, "administrator");
  const kept = await client.send(new ListSchedulesCommand({ GroupName: "leases" }));
  expect(kept.Schedules).toHaveLength(1);
});

test("the stack's status, id and resources are told; a deleted one is known by its id alone", async () => {
  const runner = await start(withSecret(32));
  const { cloudformation } = clientsOf(runner, "administrator");
  const described = async (StackName?: string) =>
    (await cloudformation.send(new DescribeStacksCommand({ StackName }))).Stacks?.[0];
  const first = await described("Small");
  expect(first?.StackStatus).toBe("CREATE_COMPLETE");
  await runner.update(assemblyOf(withSecret(32, "two")));
  expect((await described())?.StackStatus).toBe("UPDATE_COMPLETE");
  const { StackResources } = await cloudformation.send(
    new DescribeStackResourcesCommand({ StackName: "Small" }),
  );
  expect(StackResources).toMatchObject([
    { LogicalResourceId: "SecretA720EF05", PhysicalResourceId: runner.outputs.Arn },
  ]);
  await runner.delete();
  expect(runner.outputs).toEqual({});
  await expect(described("Small")).rejects.toMatchObject({ name: "ValidationError" });
  expect(await described(first?.StackId)).toMatchObject({ StackStatus: "DELETE_COMPLETE" });
  await runner.create(assemblyOf(withSecret(32)));
  const second = await described("Small");
  expect(second?.StackStatus).toBe("CREATE_COMPLETE");
  expect(second?.StackId).not.toBe(first?.StackId);
});
