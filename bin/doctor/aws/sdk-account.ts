import type { ClientSettings } from "../../aws/clients.ts";
import { stackState } from "../../aws/stack-state.ts";
import { type AccountReads, NotRead } from "./account-reads.ts";

/** Call AWS. @throws NotRead with the IAM action of the call. */
const asking = async <T>(action: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    throw new NotRead(action, error);
  }
};

/** CloudWatch has a value for each minute; a quiet queue has one every five. Milliseconds. */
const LOOK_BACK = 600_000;

/** An account through AWS's SDK. Each client is loaded at its first use. */
export const sdkAccount = (settings: ClientSettings, now: () => number): AccountReads => ({
  stack: (name) => asking("cloudformation:ListStackResources", () => stackState(settings, name)),
  ...functionsOf(settings),
  ...schedulesOf(settings),
  ...rolesOf(settings),
  ...queuesOf(settings, now),
  ...secretsOf(settings),
  ...alarmsOf(settings),
});

function functionsOf(
  settings: ClientSettings,
): Pick<AccountReads, "functionState" | "mappingState"> {
  const load = async () => {
    const sdk = await import("../../aws/lambda-sdk.ts");
    return { ...sdk, client: new sdk.LambdaClient(settings) };
  };
  return {
    functionState: async (FunctionName) => {
      const { client, GetFunctionConfigurationCommand } = await load();
      const found = await asking("lambda:GetFunctionConfiguration", () =>
        client.send(new GetFunctionConfigurationCommand({ FunctionName })),
      );
      const { State = "Active", LastUpdateStatus = "Successful", Environment } = found;
      const reason = found.StateReason ?? found.LastUpdateStatusReason;
      return {
        state: State,
        update: LastUpdateStatus,
        variables: Environment?.Variables ?? {},
        ...(reason !== undefined && { reason }),
      };
    },
    mappingState: async (UUID) => {
      const { client, GetEventSourceMappingCommand } = await load();
      const { State = "" } = await asking("lambda:GetEventSourceMapping", () =>
        client.send(new GetEventSourceMappingCommand({ UUID })),
      );
      return State;
    },
  };
}

function schedulesOf(
  settings: ClientSettings,
): Pick<AccountReads, "schedule" | "scheduleGroupState"> {
  const load = async () => {
    const sdk = await import("@aws-sdk/client-scheduler");
    return { ...sdk, client: new sdk.SchedulerClient(settings) };
  };
  return {
    schedule: async (Name) => {
      const { client, GetScheduleCommand } = await load();
      const { State = "", Target } = await asking("scheduler:GetSchedule", () =>
        client.send(new GetScheduleCommand({ Name })),
      );
      const { Arn: targetArn = "", RoleArn: roleArn = "" } = Target ?? {};
      return { state: State, targetArn, roleArn };
    },
    scheduleGroupState: async (Name) => {
      const { client, GetScheduleGroupCommand } = await load();
      const { State = "" } = await asking("scheduler:GetScheduleGroup", () =>
        client.send(new GetScheduleGroupCommand({ Name })),
      );
      return State;
    },
  };
}

const rolesOf = (settings: ClientSettings): Pick<AccountReads, "role"> => ({
  role: async (RoleName) => {
    const { IAMClient, GetRoleCommand, GetRolePolicyCommand, ListRolePoliciesCommand } =
      await import("@aws-sdk/client-iam");
    const client = new IAMClient(settings);
    const { Role } = await asking("iam:GetRole", () =>
      client.send(new GetRoleCommand({ RoleName })),
    );
    const { PolicyNames = [] } = await asking("iam:ListRolePolicies", () =>
      client.send(new ListRolePoliciesCommand({ RoleName })),
    );
    const policies = await Promise.all(
      PolicyNames.map((PolicyName) =>
        asking("iam:GetRolePolicy", () =>
          client.send(new GetRolePolicyCommand({ RoleName, PolicyName })),
        ),
      ),
    );
    // IAM encodes documents as in URLs
    return {
      trust: decodeURIComponent(Role?.AssumeRolePolicyDocument ?? "{}"),
      policies: policies.map(({ PolicyDocument = "{}" }) => decodeURIComponent(PolicyDocument)),
    };
  },
});

const queuesOf = (settings: ClientSettings, now: () => number): Pick<AccountReads, "queue"> => ({
  queue: async (QueueUrl) => {
    const { GetQueueAttributesCommand, ListDeadLetterSourceQueuesCommand, SQSClient } =
      await import("@aws-sdk/client-sqs");
    const client = new SQSClient({ ...settings, useQueueUrlAsEndpoint: false });
    const { Attributes = {} } = await asking("sqs:GetQueueAttributes", () =>
      client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] })),
    );
    const { QueueArn = "", RedrivePolicy } = Attributes;
    const { queueUrls = [] } = await asking("sqs:ListDeadLetterSourceQueues", () =>
      client.send(new ListDeadLetterSourceQueuesCommand({ QueueUrl })),
    );
    const oldest = await oldestIn(settings, QueueArn.split(":").at(-1) ?? "", now());
    return {
      arn: QueueArn,
      waiting: Number(Attributes.ApproximateNumberOfMessages ?? 0),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
      isDeadLetters: queueUrls.length > 0 || RedrivePolicy === undefined,
      ...(oldest !== undefined && { oldest }),
    };
  },
});

async function oldestIn(
  settings: ClientSettings,
  QueueName: string,
  now: number,
): Promise<number | undefined> {
  const { CloudWatchClient, GetMetricStatisticsCommand } = await import(
    "@aws-sdk/client-cloudwatch"
  );
  const { Datapoints = [] } = await asking("cloudwatch:GetMetricStatistics", () =>
    new CloudWatchClient(settings).send(
      new GetMetricStatisticsCommand({
        Namespace: "AWS/SQS",
        MetricName: "ApproximateAgeOfOldestMessage",
        Dimensions: [{ Name: "QueueName", Value: QueueName }],
        StartTime: new Date(now - LOOK_BACK),
        EndTime: new Date(now),
        Period: 60,
        Statistics: ["Maximum"],
      }),
    ),
  );
  const last = Datapoints.toSorted(
    (a, b) => (b.Timestamp?.getTime() ?? 0) - (a.Timestamp?.getTime() ?? 0),
  )[0];
  return last?.Maximum;
}

const secretsOf = (settings: ClientSettings): Pick<AccountReads, "rotation"> => ({
  rotation: async (SecretId) => {
    const { DescribeSecretCommand, SecretsManagerClient } = await import(
      "@aws-sdk/client-secrets-manager"
    );
    const found = await asking("secretsmanager:DescribeSecret", () =>
      new SecretsManagerClient(settings).send(new DescribeSecretCommand({ SecretId })),
    );
    const { LastRotatedDate, NextRotationDate, RotationEnabled, RotationRules } = found;
    const labels = Object.values(found.VersionIdsToStages ?? {});
    const everyDays = RotationRules?.AutomaticallyAfterDays;
    return {
      enabled: RotationEnabled === true,
      pending: labels.some((each) => each.includes("AWSPENDING") && !each.includes("AWSCURRENT")),
      ...(LastRotatedDate !== undefined && { rotatedAt: LastRotatedDate.getTime() }),
      ...(NextRotationDate !== undefined && { nextAt: NextRotationDate.getTime() }),
      ...(everyDays !== undefined && { everyDays }),
    };
  },
});

/** Most names in one call. */
const TOGETHER = 100;

const alarmsOf = (settings: ClientSettings): Pick<AccountReads, "alarms"> => ({
  alarms: async (names) => {
    const { CloudWatchClient, DescribeAlarmsCommand } = await import("@aws-sdk/client-cloudwatch");
    const client = new CloudWatchClient(settings);
    const pages = Array.from({ length: Math.ceil(names.length / TOGETHER) }, (_, page) =>
      names.slice(page * TOGETHER, (page + 1) * TOGETHER),
    );
    const answers = await Promise.all(
      pages.map((AlarmNames) =>
        asking("cloudwatch:DescribeAlarms", () =>
          client.send(
            new DescribeAlarmsCommand({
              AlarmNames,
              AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
              MaxRecords: TOGETHER,
            }),
          ),
        ),
      ),
    );
    return answers.flatMap(({ MetricAlarms = [], CompositeAlarms = [] }) =>
      [...MetricAlarms, ...CompositeAlarms].map(
        ({ AlarmName: name = "", StateValue: state = "", StateReason: reason = "" }) => ({
          name,
          state,
          reason,
        }),
      ),
    );
  },
});
