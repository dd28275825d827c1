import type { LambdaClient } from "@aws-sdk/client-lambda";
import { type Instant, milliseconds, seconds, type Time } from "../../core/time.ts";
import type { ClientSettings } from "../aws/clients.ts";
import { invoke } from "../aws/invoke.ts";
import { stackState } from "../aws/stack-state.ts";
import type { Account, AliasPolicies, QueryRun, Remainder, SecretState } from "./account.ts";
import { NotMade } from "./outcome.ts";
import { queryDatabase } from "./query-database.ts";

interface AwsAccountOptions {
  readonly clients: ClientSettings;
  /** Keys of the caller. */
  readonly caller: LambdaClient;
  /** Keys of the consumer's role. */
  readonly consumer: LambdaClient;
  readonly isAws: boolean;
  readonly time: Time;
}

/** An account through AWS's SDK. Each client is loaded at its first use. */
export function awsAccount({ clients, caller, consumer, isAws, time }: AwsAccountOptions): Account {
  return {
    isAws,
    invoke: async (as, arn, event) => {
      const answer = await invoke(as === "caller" ? caller : consumer, arn, event);
      const { payload, errorType, requestId } = answer;
      return {
        payload,
        ...(errorType !== undefined && { errorType }),
        ...(requestId !== undefined && { requestId }),
      };
    },
    aliasPolicies: (arn) => aliasPolicies(caller, arn),
    stackState: (name) => stackState(clients, name),
    logLines: (group, words, since) => logLines(clients, { group, words, since }),
    runSavedQueries: (part, words, since) =>
      runSavedQueries({ clients, time }, { part, words, since }),
    ...schedulesOf(clients),
    ...secretsOf(clients),
    allowOnlySecret: (functionArn, secretArn) => allowOnlySecret(caller, functionArn, secretArn),
    query: queryDatabase,
    remaindersOf: (name) => remaindersOf(clients, name),
  };
}

async function aliasPolicies(client: LambdaClient, arn: string): Promise<AliasPolicies> {
  const { GetPolicyCommand, GetResourcePolicyCommand } = await import("../aws/lambda-sdk.ts");
  const [, name = "", qualifier = ""] = /^(.*):([^:]+)$/.exec(arn) ?? [];
  const notFound = (error: Error): undefined => {
    if (error.name !== "ResourceNotFoundException") throw error;
  };
  const resource = await client
    .send(new GetResourcePolicyCommand({ ResourceArn: arn }))
    .catch(notFound);
  const permissions = await client
    .send(new GetPolicyCommand({ FunctionName: name, Qualifier: qualifier }))
    .catch(notFound);
  return {
    ...(resource?.Policy !== undefined && { resourcePolicy: resource.Policy }),
    ...(permissions?.Policy !== undefined && { permissionPolicy: permissions.Policy }),
  };
}

interface Lines {
  readonly group: string;
  readonly words: readonly string[];
  readonly since: Instant;
}

async function logLines(
  clients: ClientSettings,
  { group, words, since }: Lines,
): Promise<readonly string[]> {
  const { CloudWatchLogsClient, FilterLogEventsCommand } = await import(
    "@aws-sdk/client-cloudwatch-logs"
  );
  const client = new CloudWatchLogsClient(clients);
  const found: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = await client.send(
      new FilterLogEventsCommand({
        logGroupName: group,
        filterPattern: words.map((word) => `"${word}"`).join(" "),
        startTime: since,
        ...(nextToken !== undefined && { nextToken }),
      }),
    );
    found.push(...(page.events ?? []).flatMap(({ message }) => message ?? []));
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return found;
}

interface Queries {
  readonly part: string;
  readonly words: Readonly<Record<string, string>>;
  readonly since: Instant;
}

/** Statuses of a running query. */
const RUNNING = ["Scheduled", "Running"];

async function runSavedQueries(
  { clients, time }: { readonly clients: ClientSettings; readonly time: Time },
  { part, words, since }: Queries,
): Promise<readonly QueryRun[]> {
  const {
    CloudWatchLogsClient,
    DescribeQueryDefinitionsCommand,
    GetQueryResultsCommand,
    StartQueryCommand,
  } = await import("@aws-sdk/client-cloudwatch-logs");
  const client = new CloudWatchLogsClient(clients);
  const { queryDefinitions = [] } = await client.send(
    new DescribeQueryDefinitionsCommand({
      queryDefinitionNamePrefix: "mayfly-",
      maxResults: 1_000,
    }),
  );
  const ours = queryDefinitions.filter(({ name }) => name?.includes(part));
  return Promise.all(
    ours.map(async ({ name = "", queryString = "", logGroupNames = [] }) => {
      const { queryId } = await client.send(
        new StartQueryCommand({
          logGroupNames,
          queryString: Object.entries(words).reduce(
            (text, [word, value]) => text.replaceAll(word, value),
            queryString,
          ),
          startTime: Math.floor(since / 1_000),
          endTime: Math.ceil(time.now() / 1_000),
        }),
      );
      for (;;) {
        const { status = "", results = [] } = await client.send(
          new GetQueryResultsCommand({ queryId }),
        );
        if (!RUNNING.includes(status)) return { name, status, rows: results.length };
        await time.wait(seconds(1));
      }
    }),
  );
}

type Schedules = Pick<
  Account,
  "schedulesNamed" | "scheduleTarget" | "createSchedule" | "deleteSchedule"
>;

function schedulesOf(clients: ClientSettings): Schedules {
  const load = async () => {
    const sdk = await import("@aws-sdk/client-scheduler");
    return { ...sdk, client: new sdk.SchedulerClient(clients) };
  };
  return {
    schedulesNamed: async (NamePrefix) => {
      const { client, ListSchedulesCommand } = await load();
      const { Schedules = [] } = await client.send(new ListSchedulesCommand({ NamePrefix }));
      return Schedules.map(({ GroupName: group = "", Name: name = "" }) => ({ group, name }));
    },
    scheduleTarget: async ({ group, name }) => {
      const { client, GetScheduleCommand } = await load();
      const { Target } = await client.send(
        new GetScheduleCommand({ GroupName: group, Name: name }),
      );
      const { Arn: targetArn = "", RoleArn: roleArn = "", Input: input = "{}" } = Target ?? {};
      return { targetArn, roleArn, input };
    },
    createSchedule: async ({ group, name }, at, { targetArn, roleArn, input }) => {
      const { client, CreateScheduleCommand } = await load();
      await client.send(
        new CreateScheduleCommand({
          GroupName: group,
          Name: name,
          ScheduleExpression: `at(${new Date(at).toISOString().slice(0, 19)})`,
          ScheduleExpressionTimezone: "UTC",
          FlexibleTimeWindow: { Mode: "OFF" },
          ActionAfterCompletion: "DELETE",
          Target: { Arn: targetArn, RoleArn: roleArn, Input: input },
        }),
      );
    },
    deleteSchedule: async ({ group, name }) => {
      const { client, DeleteScheduleCommand } = await load();
      await client
        .send(new DeleteScheduleCommand({ GroupName: group, Name: name }))
        .catch((error: Error) => {
          if (error.name !== "ResourceNotFoundException") throw error;
        });
    },
  };
}

function secretsOf(clients: ClientSettings): Pick<Account, "secretState" | "rotateSecret"> {
  const load = async () => {
    const sdk = await import("@aws-sdk/client-secrets-manager");
    return { ...sdk, client: new sdk.SecretsManagerClient(clients) };
  };
  return {
    secretState: async (SecretId): Promise<SecretState> => {
      const { client, DescribeSecretCommand } = await load();
      const found = await client.send(new DescribeSecretCommand({ SecretId }));
      const { RotationEnabled, RotationLambdaARN, LastRotatedDate, VersionIdsToStages } = found;
      return {
        ...(RotationEnabled === true &&
          RotationLambdaARN !== undefined && { rotatorArn: RotationLambdaARN }),
        ...(LastRotatedDate !== undefined && {
          lastRotatedAt: LastRotatedDate.getTime() as Instant,
        }),
        labels: new Map(Object.entries(VersionIdsToStages ?? {})),
      };
    },
    rotateSecret: async (SecretId) => {
      const { client, RotateSecretCommand } = await load();
      await client.send(new RotateSecretCommand({ SecretId }));
    },
  };
}

/** A permission for Secrets Manager, with the fields that CDK writes. */
interface Statement {
  readonly Sid: string;
  readonly Principal?: { readonly Service?: string };
  readonly Condition?: { readonly StringEquals?: { readonly "AWS:SourceAccount"?: string } };
}

async function allowOnlySecret(
  client: LambdaClient,
  FunctionName: string,
  secretArn: string,
): Promise<() => Promise<void>> {
  const { AddPermissionCommand, GetPolicyCommand, RemovePermissionCommand } = await import(
    "../aws/lambda-sdk.ts"
  );
  const { Policy = "{}" } = await client.send(new GetPolicyCommand({ FunctionName }));
  const { Statement: statements = [] } = JSON.parse(Policy) as {
    readonly Statement?: readonly Statement[];
  };
  const account = secretArn.split(":")[4] ?? "";
  const add = (StatementId: string, conditions: object): Promise<unknown> =>
    client.send(
      new AddPermissionCommand({
        FunctionName,
        StatementId,
        Action: "lambda:InvokeFunction",
        Principal: "secretsmanager.amazonaws.com",
        ...conditions,
      }),
    );
  const remove = (StatementId: string): Promise<unknown> =>
    client.send(new RemovePermissionCommand({ FunctionName, StatementId }));
  const others = statements.filter(
    ({ Principal }) => Principal?.Service === "secretsmanager.amazonaws.com",
  );
  if (others.length === 0) throw new NotMade("the function has no permission for Secrets Manager");
  await add("MayflyVerify", { SourceArn: secretArn });
  for (const { Sid } of others) await remove(Sid);
  return async () => {
    for (const { Sid } of others) await add(Sid, { SourceAccount: account });
    await remove("MayflyVerify");
  };
}

/** Characters of the stack's name in a schedule group's name. */
const STACK_IN_GROUP_NAME = 15;

async function remaindersOf(
  clients: ClientSettings,
  stackName: string,
): Promise<readonly Remainder[]> {
  const { CloudWatchLogsClient, DescribeLogGroupsCommand } = await import(
    "@aws-sdk/client-cloudwatch-logs"
  );
  const { ListScheduleGroupsCommand, SchedulerClient } = await import("@aws-sdk/client-scheduler");
  const logs = new CloudWatchLogsClient(clients);
  const prefixes = [`/aws/lambda/mayfly-${stackName}`, `/aws/lambda/${stackName}`];
  const pages = await Promise.all(
    prefixes.map((logGroupNamePrefix) =>
      logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix })),
    ),
  );
  const groups = pages.flatMap(({ logGroups = [] }) =>
    logGroups.flatMap(({ logGroupName }) => logGroupName ?? []),
  );
  const { ScheduleGroups = [] } = await new SchedulerClient(clients).send(
    new ListScheduleGroupsCommand({
      NamePrefix: `mayfly-${stackName.slice(0, STACK_IN_GROUP_NAME)}`,
    }),
  );
  return [
    ...groups.map((name) => ({
      what: `log group ${name}`,
      byHand: `aws logs delete-log-group --log-group-name ${name}`,
    })),
    ...ScheduleGroups.filter(({ State }) => State !== "DELETING").map(({ Name }) => ({
      what: `schedule group ${Name}`,
      byHand: `aws scheduler delete-schedule-group --name ${Name}`,
    })),
  ];
}

/** This machine's time. An aborted signal ends a wait early. */
export const systemTime = (signal: AbortSignal): Time => ({
  now: () => Date.now() as Instant,
  wait: (length) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds(length));
      signal.addEventListener("abort", done);
    }),
});
