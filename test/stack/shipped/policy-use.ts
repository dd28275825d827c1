import {
  CreateScheduleCommand,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
} from "@aws-sdk/client-scheduler";
import { DescribeSecretCommand, GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { AssumeRoleCommand } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../../core/leases/credential.ts";
import type { UnusedStatement } from "../../../local/iam/policy-use.ts";
import { type Clients, invoke } from "../../local/clients.ts";
import { eventually } from "../../support/eventually.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

/** What the template allows or denies and nothing here does, each with the reason to keep it. */
const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [/ NotFromCode deny /, "no code of ours calls EC2; test/lib/privileges.test.ts tries it"],
  [/Framework.*lambda:GetFunction$/, "CDK's framework waits with it for a handler that is idle"],
  [/Framework.* OwnLogs /, "the runner stands in for CDK's framework, and prints nothing for it"],
  [/^orders\w*(?:DeadLetters|Revocations)\w+ #1 deny /, "no call here is without TLS"],
  [/Provisioner\w+ Remove(?:Schedules|Group) /, "they are for the end of the stack"],
  [/ReadAdministrator .*DescribeSecret$/, "its tags tell whose a secret is that RDS manages"],
  [/^orderssandboxSeeder\w+: OnlyTheFramework deny /, "test/lib/privileges.test.ts tries it"],
  [/(?:Seeder|userserviceFunction)\w+ OwnLogs /, "they print only when something fails"],
];

let stack: ShippedStack;
let unused: readonly string[];

const asLine = ({ holder, statement, effect, actions }: UnusedStatement): string =>
  `${holder} ${statement} ${effect.toLowerCase()} ${actions.join(" ")}`;

describe("when every grant, sweep and schedule was used", () => {
  beforeAll(async () => {
    stack = await sharedShipped();
    await askAsEverybody();
    await endByItself();
    const sweeper = stack.operatorArn.replace(/operator$/, "sweeper");
    await sweepAfterLosses(() => invoke(stack.administrator, sweeper, { action: "sweep" }));
    await sweepAfterLosses(() => stack.operate({ action: "sweep" }));
    await stack.operate({ action: "converge" });
    await stack.runner.rotations.finished();
    await failToRevoke();
    unused = stack.runner.unusedStatements.map(asLine);
  });
  afterAll(() => stack.operate({ action: "revoke", everything: true }));

  test("every permission of the template was needed, or there is a reason to keep it", () => {
    expect(unused.filter((line) => !EXPLAINED.some(([pattern]) => pattern.test(line)))).toEqual([]);
  });

  test("every such reason is needed", () => {
    const needless = EXPLAINED.filter(([pattern]) => !unused.some((line) => pattern.test(line)));
    expect(needless).toEqual([]);
  });
});

/** Each grant is used by its consumer, whose role somebody has assumed, and tried by another. */
async function askAsEverybody(): Promise<void> {
  const { administrator, userService, reporting, issuerArn, runner } = stack;
  for (const output of ["UserServiceRoleArn", "ReportingRoleArn"])
    await administrator.sts.send(
      new AssumeRoleCommand({ RoleArn: runner.outputs[output], RoleSessionName: "somebody" }),
    );
  const ask = (who: Clients, alias: string) =>
    invoke(who, `${issuerArn}:${alias}`, { action: "issue", idempotencyKey: "once" });
  for (const [owner, outsider, alias] of [
    [userService, reporting, "user-service--readonly"],
    [userService, reporting, "user-service--readwrite"],
    [reporting, userService, "reporting--readonly"],
  ] as const) {
    expect((await ask(owner, alias)).answer).toHaveProperty("leaseId");
    await expect(ask(outsider, alias)).rejects.toThrow("not authorized");
  }
  for (const name of ["provisioner", "provisioner:converge"])
    await expect(
      invoke(administrator, stack.operatorArn.replace(/operator$/, name), {
        RequestType: "Delete",
      }),
    ).rejects.toThrow("not authorized");
  const secret = { SecretId: runner.outputs.OrdersReportsSecretArn };
  for (const Command of [DescribeSecretCommand, GetSecretValueCommand])
    expect(await reporting.secrets.send(new Command(secret))).toHaveProperty("ARN");
}

async function endByItself(): Promise<void> {
  const { username } = await stack.issue({ ttlSeconds: 10 });
  await eventually(() =>
    stack.runner.logs().some(({ line }) => line.includes(username) && /revoked/.test(line)),
  );
}

const schedulesOf = async ({ username }: Credential) => {
  const wanted = new ListSchedulesCommand({ NamePrefix: username.slice(-12) });
  return (await stack.administrator.scheduler.send(wanted)).Schedules ?? [];
};

/** One lease has lost its schedule, one schedule its lease. */
async function sweepAfterLosses(sweep: () => Promise<unknown>): Promise<void> {
  const [live, dropped] = [await stack.issue(), await stack.issue()];
  for (const { Name, GroupName } of await schedulesOf(live))
    await stack.administrator.scheduler.send(new DeleteScheduleCommand({ Name, GroupName }));
  await stack.superuser(`drop role "${dropped.username}"`);
  await sweep();
  expect(await schedulesOf(live)).toHaveLength(1);
  expect(await schedulesOf(dropped)).toEqual([]);
}

/** A schedule that may not call its target, and one that may not fill the revoker's queue. */
async function failToRevoke(): Promise<void> {
  const { administrator, operatorArn, runner } = stack;
  const [ours] = await schedulesOf(await stack.issue());
  const { Target, ...schedule } = await administrator.scheduler.send(
    new GetScheduleCommand({ Name: ours?.Name, GroupName: ours?.GroupName }),
  );
  const RetryPolicy = { MaximumRetryAttempts: 0 };
  await administrator.scheduler.send(
    new CreateScheduleCommand({
      Name: "astray",
      GroupName: schedule.GroupName,
      ScheduleExpression: "rate(1 hour)",
      FlexibleTimeWindow: schedule.FlexibleTimeWindow,
      Target: { ...Target, Arn: operatorArn, RoleArn: Target?.RoleArn, RetryPolicy },
    }),
  );
  const sweep = await administrator.scheduler.send(
    new ListSchedulesCommand({ GroupName: "default" }),
  );
  const own = await administrator.scheduler.send(
    new GetScheduleCommand({ Name: sweep.Schedules?.[0]?.Name }),
  );
  await administrator.scheduler.send(
    new CreateScheduleCommand({
      Name: "outsider",
      ScheduleExpression: "rate(1 hour)",
      FlexibleTimeWindow: schedule.FlexibleTimeWindow,
      Target: { Arn: Target?.Arn, RoleArn: own.Target?.RoleArn, RetryPolicy },
    }),
  );
  await eventually(() => runner.queueMessages().length === 1);
  await eventually(() =>
    runner.calls.some(
      ({ resource, decision }) => resource === Target?.Arn && decision === "ExplicitlyDenied",
    ),
  );
}
