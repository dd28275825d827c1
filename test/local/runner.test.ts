import { DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { GetFunctionCommand, InvokeCommand } from "@aws-sdk/client-lambda";
import { CreateScheduleCommand, CreateScheduleGroupCommand } from "@aws-sdk/client-scheduler";
import {
  DeleteSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
} from "@aws-sdk/client-secrets-manager";
import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { eventually } from "../support/eventually.ts";
import { type Clients, clientsOf, invoke } from "./clients.ts";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

let app: SynthesizedApp;
let runner: Runner;
let administrator: Clients;
let alice: Clients;

const output = (name: string): string => runner.outputs[name] ?? `no output ${name}`;

beforeAll(async () => {
  app = synthesize();
  runner = await startRunner({ assembly: app.assembly });
  administrator = clientsOf(runner, "administrator");
  alice = clientsOf(runner, "AliceD4D33764");
});

afterAll(async () => {
  await runner.stop();
  app.remove();
});

describe("identities and policies", () => {
  test("a consumer may invoke its own alias, and the function learns which", async () => {
    const { answer, ExecutedVersion } = await invoke(alice, output("AliceAliasArn"), { a: 1 });
    expect(answer).toMatchObject({ event: { a: 1 }, arn: output("AliceAliasArn") });
    expect(ExecutedVersion).toBe("1");
  });

  test("what no policy allows is denied in AWS's words", async () => {
    const me = await alice.sts.send(new GetCallerIdentityCommand({}));
    const target = output("EchoArn");
    await expect(invoke(alice, target, {})).rejects.toMatchObject({
      name: "AccessDeniedException",
      $metadata: { httpStatusCode: 403 },
      message: `User: ${me.Arn} is not authorized to perform: lambda:InvokeFunction on resource: ${target} because no identity-based policy allows the lambda:InvokeFunction action`,
    });
  });

  test("an alias's resource policy denies other consumers, and even an administrator", async () => {
    for (const [clients, target] of [
      [administrator, output("AliceAliasArn")],
      [alice, output("BobAliasArn")],
    ] as const)
      await expect(invoke(clients, target, {})).rejects.toThrow(
        `on resource: ${target} with an explicit deny in a resource-based policy`,
      );
    expect((await invoke(administrator, output("EchoArn"), {})).StatusCode).toBe(200);
  });

  test("a caller without permission gets AccessDenied also for what does not exist", async () => {
    await expect(invoke(alice, "nothing", {})).rejects.toMatchObject({
      name: "AccessDeniedException",
    });
    await expect(invoke(administrator, "nothing", {})).rejects.toMatchObject({
      name: "ResourceNotFoundException",
      message: "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nothing",
    });
    await expect(invoke(administrator, `${output("EchoArn")}:nobody`, {})).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    });
    await expect(
      alice.secrets.send(new GetSecretValueCommand({ SecretId: "nothing" })),
    ).rejects.toMatchObject({ name: "AccessDeniedException", $metadata: { httpStatusCode: 400 } });
  });

  test("every decision is recorded", async () => {
    const before = runner.calls.length;
    await invoke(alice, output("BobAliasArn"), {}).catch(() => undefined);
    // functions that were invoked before may still be at work
    const own = runner.calls.slice(before).filter(({ principal }) => /Alice/.test(principal));
    expect(own).toEqual([
      {
        at: expect.any(String),
        principal: expect.stringMatching(/^arn:aws:iam::123456789012:role\/Small-Alice/),
        action: "lambda:InvokeFunction",
        resource: output("BobAliasArn"),
        decision: "ExplicitlyDenied",
      },
    ]);
  });

  test("unknown keys are refused by each service in its own way", async () => {
    const { accessKeyId, secretAccessKey } = runner.credentialsFor("administrator");
    const message = "The security token included in the request is invalid.";
    for (const key of ["ASIAUNKNOWN", accessKeyId]) {
      const outsider = clientsOf(runner, { accessKeyId: key, secretAccessKey, sessionToken: "x" });
      await expect(invoke(outsider, output("EchoArn"), {})).rejects.toMatchObject({
        name: "UnrecognizedClientException",
        message,
      });
      await expect(outsider.sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
        name: "InvalidClientTokenId",
        message,
      });
    }
  });

  test("a role that trusts the account can be assumed by those whose policy allows it", async () => {
    const RoleArn = (await alice.sts.send(new GetCallerIdentityCommand({}))).Arn?.replace(
      /:sts::(\d+):assumed-role\/([^/]+)\/.*/,
      ":iam::$1:role/$2",
    );
    const ask = new AssumeRoleCommand({ RoleArn, RoleSessionName: "visit" });
    const { Credentials } = await administrator.sts.send(ask);
    const visitor = clientsOf(runner, {
      accessKeyId: Credentials?.AccessKeyId ?? "",
      secretAccessKey: Credentials?.SecretAccessKey ?? "",
      sessionToken: Credentials?.SessionToken ?? "",
    });
    expect((await invoke(visitor, output("AliceAliasArn"), {})).StatusCode).toBe(200);
    await expect(alice.sts.send(ask)).rejects.toMatchObject({ name: "AccessDenied" });
    const service = new AssumeRoleCommand({
      RoleArn: output("TargetRoleArn"),
      RoleSessionName: "visit",
    });
    await expect(administrator.sts.send(service)).rejects.toMatchObject({ name: "AccessDenied" });
  });
});

describe("functions", () => {
  test("environments are kept warm, shared by the aliases of a version, and see no other environment", async () => {
    const bob = clientsOf(runner, "Bob4B8519C4");
    const first = await invoke(alice, output("AliceAliasArn"), {});
    const second = await invoke(bob, output("BobAliasArn"), {});
    expect(second.answer?.pid).toBe(first.answer?.pid);
    expect(second.answer?.arn).toBe(output("BobAliasArn"));
    expect(second.answer?.requestId).toBe(second.$metadata.requestId);
    const env = second.answer?.env as Record<string, string>;
    expect(env).toMatchObject({ AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL: runner.endpoint });
    expect(Object.keys(env).filter((name) => name.startsWith("VITEST"))).toEqual([]);
  });

  test("events at the same time run in environments of their own", async () => {
    const event = { do: "wait", milliseconds: 300 };
    const replies = await Promise.all(
      [1, 2, 3].map(() => invoke(administrator, output("EchoArn"), event)),
    );
    expect(new Set(replies.map(({ answer }) => answer?.pid)).size).toBe(3);
  });

  test("more than the reserved concurrency is throttled", async () => {
    const name = output("LimitedName");
    const busy = invoke(administrator, name, { do: "wait", milliseconds: 500 });
    await eventually(() =>
      runner.logs(name).some(({ line }) => line.includes('"milliseconds":500')),
    );
    await expect(invoke(administrator, name, {})).rejects.toMatchObject({
      name: "TooManyRequestsException",
      $metadata: { httpStatusCode: 429 },
      Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      message: "Rate Exceeded.",
    });
    expect((await busy).FunctionError).toBeUndefined();
    expect((await invoke(administrator, name, {})).StatusCode).toBe(200);
  });

  test("a thrown error reaches the caller by type and message, and the log with every property", async () => {
    const { FunctionError, answer } = await invoke(administrator, output("EchoArn"), {
      do: "throw",
    });
    expect(FunctionError).toBe("Unhandled");
    expect(answer).toEqual({
      errorType: "RangeError",
      errorMessage: "no good",
      trace: expect.arrayContaining(["RangeError: no good"]),
    });
    const { line } = await eventually(() =>
      runner.logs("Echo11F3FB29").find((each) => each.line.includes("Invoke Error")),
    );
    expect(line).toContain('"where":"a query"');
    expect(line).toContain("\tERROR\t");
  });

  test("a function that runs too long is killed and starts anew", async () => {
    const { answer, FunctionError } = await invoke(administrator, output("LimitedName"), {
      do: "hang",
    });
    expect(FunctionError).toBe("Unhandled");
    expect(answer).toEqual({
      errorType: "Sandbox.Timedout",
      errorMessage: expect.stringMatching(/^\S+Z [0-9a-f-]{36} Task timed out after 1.00 seconds$/),
    });
    const again = await invoke(administrator, output("LimitedName"), {});
    expect(again.answer).toMatchObject({ invocations: 1 });
  });

  test.each([
    ["exits", "exit", "Runtime.ExitError", /Runtime exited with error: exit status 3$/],
    ["throws an error that contains itself", "circle", "Error", /^round$/],
    ["leaves a rejection behind", "reject", "Runtime.UnhandledPromiseRejection", /^left behind$/],
  ])(
    "a function that %s fails this event and serves the next",
    async (_, what, errorType, message) => {
      const { answer } = await invoke(administrator, output("EchoArn"), { do: what });
      expect(answer).toMatchObject({ errorType, errorMessage: expect.stringMatching(message) });
      expect((await invoke(administrator, output("EchoArn"), {})).FunctionError).toBeUndefined();
    },
  );

  test.each([
    ["OldStyle75BF9F58", "Runtime.CallbackHandlerDeprecated"],
    ["Broken96465456", "Runtime.ImportModuleError"],
  ])("%s cannot start: %s", async (name, errorType) => {
    expect((await invoke(administrator, name, {})).answer).toMatchObject({ errorType });
  });

  test("a payload that is no JSON never reaches the function", async () => {
    const command = new InvokeCommand({ FunctionName: output("EchoArn"), Payload: "{" });
    await expect(administrator.lambda.send(command)).rejects.toMatchObject({
      name: "InvalidRequestContentException",
    });
  });

  test("a dry run only asks the policies", async () => {
    const before = runner.logs().length;
    const { StatusCode } = await invoke(administrator, output("EchoArn"), { dry: true }, "DryRun");
    expect(StatusCode).toBe(204);
    expect(runner.logs().slice(before)).toEqual([]);
    await expect(invoke(alice, output("EchoArn"), {}, "DryRun")).rejects.toMatchObject({
      name: "AccessDeniedException",
    });
  });

  test("an asynchronous event is retried, then told to the failure queue with AWS's record", async () => {
    const accepted = await invoke(
      administrator,
      output("EchoArn"),
      { do: "throw", id: "a1" },
      "Event",
    );
    expect(accepted.StatusCode).toBe(202);
    const record = await eventually(() =>
      runner
        .queueMessages(output("FailuresArn"))
        .map((message) => JSON.parse(message) as Record<string, unknown>)
        .find(({ requestContext }) => {
          const { requestId } = requestContext as { requestId: string };
          return requestId === accepted.$metadata.requestId;
        }),
    );
    expect(record).toEqual({
      version: "1.0",
      timestamp: expect.any(String),
      requestContext: {
        requestId: accepted.$metadata.requestId,
        functionArn: `${output("EchoArn")}:$LATEST`,
        condition: "RetriesExhausted",
        approximateInvokeCount: 2,
      },
      requestPayload: { do: "throw", id: "a1" },
      responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
      responsePayload: expect.objectContaining({ errorType: "RangeError" }),
    });
    expect(runner.logs().filter(({ line }) => line.includes('"id":"a1"'))).toHaveLength(2);
  });

  test("an alias has its own rules for asynchronous events", async () => {
    await invoke(alice, output("AliceAliasArn"), { do: "throw", id: "a2" }, "Event");
    await eventually(() => runner.logs().some(({ line }) => line.includes('"id":"a2"')));
    await invoke(administrator, output("EchoArn"), { do: "throw", id: "a3" }, "Event");
    await eventually(
      () => runner.logs().filter(({ line }) => line.includes('"id":"a3"')).length === 2,
    );
    expect(runner.logs().filter(({ line }) => line.includes('"id":"a2"'))).toHaveLength(1);
  });
});

describe("the stack", () => {
  test("custom resources get CloudFormation's strings, and their data is there for GetAtt", () => {
    expect(output("CustomRef")).toBe("made");
    expect(JSON.parse(output("Custom"))).toMatchObject({ Number: "1", Yes: "true", List: ["2"] });
  });

  test("its outputs can be read from CloudFormation", async () => {
    const { Stacks } = await administrator.cloudformation.send(
      new DescribeStacksCommand({ StackName: "Small" }),
    );
    expect(Stacks?.[0]?.Outputs).toContainEqual({
      OutputKey: "EchoArn",
      OutputValue: output("EchoArn"),
    });
    await expect(
      administrator.cloudformation.send(new DescribeStacksCommand({ StackName: "Other" })),
    ).rejects.toThrow("Stack with id Other does not exist");
  });

  test("what a function prints can be read from its log group, by those who may", async () => {
    const logsOf = (principal: string): CloudWatchLogsClient =>
      new CloudWatchLogsClient({
        endpoint: runner.endpoint,
        region: runner.region,
        credentials: runner.credentialsFor(principal),
        maxAttempts: 1,
      });
    const { answer } = await invoke(administrator, output("EchoArn"), { log: "one", more: "two" });
    const env = answer?.env as Record<string, string> | undefined;
    const logGroupName = env?.AWS_LAMBDA_LOG_GROUP_NAME;
    const ask = (filterPattern: string) =>
      new FilterLogEventsCommand({ logGroupName, filterPattern });
    const events = await eventually(async () => {
      const reply = await logsOf("administrator").send(ask('"one" "two"'));
      return reply.events?.length ? reply.events : undefined;
    });
    expect(events).toEqual([
      { message: expect.stringContaining('"log":"one"'), timestamp: expect.any(Number) },
    ]);
    expect((await logsOf("administrator").send(ask('"one" "three"'))).events).toEqual([]);
    await expect(logsOf("AliceD4D33764").send(ask('"one"'))).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining("no identity-based policy"),
    });
  });

  test("a stack without a database refuses to return one", () => {
    expect(() => runner.database).toThrow("stack Small has no AWS::RDS::DBInstance");
  });
});

test("what the SDK sends without checking is held against AWS's model", async () => {
  const Target = { Arn: output("EchoArn"), Role: "misspelt" };
  const input = { Name: "one", ScheduleExpression: "rate(1 hour)", Target };
  await expect(
    administrator.scheduler.send(new CreateScheduleCommand(input as never)),
  ).rejects.toMatchObject({
    name: "ValidationException",
    message: expect.stringMatching(/'FlexibleTimeWindow'.*'Target\.RoleArn'/),
  });
});

describe("what the runner does not have", () => {
  test.each([
    [
      "lambda",
      () => administrator.lambda.send(new GetFunctionCommand({ FunctionName: "f" })),
      "GET /2015-03-31/functions/f",
    ],
    [
      "secretsmanager",
      () => administrator.secrets.send(new DeleteSecretCommand({ SecretId: "s" })),
      "DeleteSecret",
    ],
    [
      "scheduler",
      () => administrator.scheduler.send(new CreateScheduleGroupCommand({ Name: "g" })),
      "POST /schedule-groups/g",
    ],
    ["sts", () => administrator.sts.send(new GetSessionTokenCommand({})), "GetSessionToken"],
  ])("an operation of %s names itself", async (service, call, operation) => {
    await expect(call()).rejects.toMatchObject({
      name: "NotImplemented",
      message: `the local runner does not implement ${service}:${operation}`,
    });
  });

  test("an unknown service names itself and its operation", async () => {
    const reply = await fetch(runner.endpoint, {
      method: "POST",
      headers: {
        "x-amz-target": "DynamoDB_20120810.GetItem",
        authorization: "AWS4-HMAC-SHA256 Credential=A/20261121/eu-west-1/dynamodb/aws4_request, x",
      },
    });
    expect(reply.status).toBe(501);
    expect(await reply.text()).toContain("dynamodb:DynamoDB_20120810.GetItem");
  });

  test("keys for another Region are refused", async () => {
    const astray = clientsOf(
      {
        endpoint: runner.endpoint,
        region: "us-east-1",
        credentialsFor: (principal) => runner.credentialsFor(principal),
      },
      "administrator",
    );
    await expect(astray.secrets.send(new GetRandomPasswordCommand({}))).rejects.toMatchObject({
      name: "InvalidSignatureException",
    });
  });
});
