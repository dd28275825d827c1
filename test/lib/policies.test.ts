import { runSimulation } from "@cloud-copilot/iam-simulate";
import { expect, test } from "vitest";
import { ACCOUNT, REGION, Resolved } from "./resolved.ts";
import { only, resourcesOf, shippedStack } from "./synthesized.ts";

const resources = resourcesOf(shippedStack());
const resolved = new Resolved(resources);

const functionArn = (word: string): string => resolved.arn("AWS::Lambda::Function", word);
const alias = (word: string): string => resolved.arn("AWS::Lambda::Alias", word);
const secret = (word: string): string => resolved.arn("AWS::SecretsManager::Secret", word);
const roleArn = (word: string): string => resolved.arn("AWS::IAM::Role", word);
const group = resolved.arn("AWS::Scheduler::ScheduleGroup").split("/")[1] ?? "";
const schedule = (inGroup: string): string =>
  `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/${inGroup}/abc-1700000000`;

const READ_ALIAS = alias("readonlyuserservice");
const WRITE_ALIAS = alias("readwriteuserservice");
const REPORTING_ALIAS = alias("readonlyreporting");
const ISSUER = functionArn("FunctionsIssuer");
const PROVISIONER = functionArn("ProvisioningProvisioner");

/** Somebody who may do everything, by policies that are not in this stack. */
const ADMINISTRATOR = {
  arn: `arn:aws:iam::${ACCOUNT}:role/administrator`,
  policies: [
    {
      name: "everything",
      policy: {
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }],
      },
    },
  ],
};

type Principal = typeof ADMINISTRATOR | string;

/** What IAM decides of one call, all policies of the template considered. */
async function decide(
  principal: Principal,
  action: string,
  resource: string,
  contextVariables: Record<string, string> = {},
): Promise<string> {
  const known = typeof principal !== "string";
  const arn = known ? principal.arn : roleArn(principal);
  const result = await runSimulation(
    {
      request: {
        principal: arn,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: { "aws:PrincipalArn": arn, ...contextVariables },
      },
      identityPolicies: known ? principal.policies : resolved.identityPolicies(principal),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resolved.resourcePolicy(resource),
    },
    {},
  );
  if (result.resultType === "error") throw new Error(JSON.stringify(result.errors));
  return result.overallResult;
}

test.each([
  ["consumeruserservice", READ_ALIAS],
  ["consumeruserservice", WRITE_ALIAS],
  ["consumerreporting", REPORTING_ALIAS],
])("%s may invoke its own alias %s", async (role, arn) => {
  expect(await decide(role, "lambda:InvokeFunction", arn)).toBe("Allowed");
});

test.each([
  ["another consumer's alias", "consumeruserservice", REPORTING_ALIAS, "ExplicitlyDenied"],
  [
    "another consumer's alias of the same role",
    "consumerreporting",
    READ_ALIAS,
    "ExplicitlyDenied",
  ],
  ["the issuer itself", "consumeruserservice", ISSUER, "ImplicitlyDenied"],
  ["$LATEST", "consumeruserservice", `${ISSUER}:$LATEST`, "ImplicitlyDenied"],
  ["a version", "consumeruserservice", `${ISSUER}:1`, "ImplicitlyDenied"],
  ["an alias that is not", "consumeruserservice", `${ISSUER}:other--readonly`, "ImplicitlyDenied"],
  ["the operator", "consumeruserservice", functionArn("Operator"), "ImplicitlyDenied"],
  ["the revoker", "consumeruserservice", functionArn("Revoker"), "ImplicitlyDenied"],
])("a consumer may not invoke %s", async (_what, role, arn, decision) => {
  expect(await decide(role, "lambda:InvokeFunction", arn)).toBe(decision);
});

test.each([["lambda:InvokeFunction"], ["lambda:InvokeAsync"], ["lambda:InvokeFunctionUrl"]])(
  "an administrator with every permission is denied %s on an alias",
  async (action) => {
    for (const arn of [READ_ALIAS, WRITE_ALIAS, REPORTING_ALIAS])
      expect(await decide(ADMINISTRATOR, action, arn)).toBe("ExplicitlyDenied");
    expect(await decide(ADMINISTRATOR, action, ISSUER)).toBe("Allowed");
  },
);

const LEASE_FUNCTIONS = ["IssuerRole", "RevokerRole", "SweeperRole", "OperatorRole"];

test.each(LEASE_FUNCTIONS)(
  "%s reads the issuer's secret and the janitor's, and no other's",
  async (role) => {
    const read = "secretsmanager:GetSecretValue";
    for (const word of ["SecretsIssuer", "SecretsJanitor"])
      expect(await decide(role, read, secret(word))).toBe("Allowed");
    expect(await decide(role, read, secret("sandboxInstanceSecret"))).toBe("ImplicitlyDenied");
    expect(await decide(role, read, secret("SecretsPepper"))).toBe(
      role === "IssuerRole" ? "Allowed" : "ImplicitlyDenied",
    );
    expect(await decide(role, "secretsmanager:PutSecretValue", secret("SecretsIssuer"))).toBe(
      "ImplicitlyDenied",
    );
  },
);

test.each(LEASE_FUNCTIONS)("%s makes schedules in its group, and nowhere else", async (role) => {
  const create = "scheduler:CreateSchedule";
  expect(await decide(role, create, schedule(group))).toBe("Allowed");
  expect(await decide(role, create, schedule("default"))).toBe("ImplicitlyDenied");
  expect(await decide(role, create, schedule(`${group}-other`))).toBe("ImplicitlyDenied");
});

test.each(LEASE_FUNCTIONS)("%s passes the scheduler's role to Scheduler alone", async (role) => {
  const pass = (arn: string, service: string) =>
    decide(role, "iam:PassRole", arn, { "iam:PassedToService": service });
  const scheduler = roleArn("SchedulesRole");
  expect(await pass(scheduler, "scheduler.amazonaws.com")).toBe("Allowed");
  expect(await pass(scheduler, "lambda.amazonaws.com")).toBe("ImplicitlyDenied");
  for (const other of ["SweepRole", "IssuerRole", "ProvisionerRole"])
    expect(await pass(roleArn(other), "scheduler.amazonaws.com")).toBe("ImplicitlyDenied");
});

test("only the sweeper and the operator read and delete schedules", async () => {
  for (const action of ["scheduler:GetSchedule", "scheduler:DeleteSchedule"])
    for (const role of LEASE_FUNCTIONS)
      expect(await decide(role, action, schedule(group))).toBe(
        role === "SweeperRole" || role === "OperatorRole" ? "Allowed" : "ImplicitlyDenied",
      );
});

test("the provisioner writes the logins it makes, and not the administrator's", async () => {
  const write = "secretsmanager:PutSecretValue";
  for (const word of ["SecretsIssuer", "SecretsJanitor"])
    expect(await decide("ProvisionerRole", write, secret(word))).toBe("Allowed");
  for (const word of ["sandboxInstanceSecret", "SecretsPepper"])
    expect(await decide("ProvisionerRole", write, secret(word))).toBe("ImplicitlyDenied");
});

test("the operator may invoke the provisioner by its alias, and nobody else may", async () => {
  const converge = alias("converge");
  for (const role of [...LEASE_FUNCTIONS, "ProvisionerRole", "SchedulesRole", "SweepRole"]) {
    expect(await decide(role, "lambda:InvokeFunction", converge)).toBe(
      role === "OperatorRole" ? "Allowed" : "ExplicitlyDenied",
    );
    expect(await decide(role, "lambda:InvokeFunction", PROVISIONER)).toBe("ExplicitlyDenied");
  }
  for (const name of ["FunctionsIssuer", "Revoker", "Sweeper", "Operator"])
    expect(await decide("OperatorRole", "lambda:InvokeFunction", functionArn(name))).toBe(
      "ImplicitlyDenied",
    );
});

test("leases' schedules may invoke no function, and the sweep's schedule the sweeper alone", async () => {
  const names = ["FunctionsIssuer", "Revoker", "Sweeper", "Operator"];
  for (const role of ["SchedulesRole", "SweepRole"])
    for (const name of names)
      expect(await decide(role, "lambda:InvokeFunction", functionArn(name))).toBe(
        role === "SweepRole" && name === "Sweeper" ? "Allowed" : "ImplicitlyDenied",
      );
});

const QUEUES = ["RevocationsQueue", "FailedRevocations", "DeadLetters"];
const queueArn = (word: string): string => resolved.arn("AWS::SQS::Queue", word);
const TLS = { "aws:SecureTransport": "true" };

test("leases' schedules alone ask the revoker by its queue, whatever others may do", async () => {
  const send = (who: Principal, word: string) =>
    decide(who, "sqs:SendMessage", queueArn(word), TLS);
  expect(await send("SchedulesRole", "RevocationsQueue")).toBe("Allowed");
  expect(await send("SchedulesRole", "DeadLetters")).toBe("Allowed");
  expect(await send("SchedulesRole", "FailedRevocations")).toBe("ImplicitlyDenied");
  for (const who of [ADMINISTRATOR, ...LEASE_FUNCTIONS, "ProvisionerRole", "SweepRole"])
    expect(await send(who, "RevocationsQueue")).toBe("ExplicitlyDenied");
  for (const word of QUEUES)
    expect(
      await decide(ADMINISTRATOR, "sqs:SendMessage", queueArn(word), {
        "aws:SecureTransport": "false",
      }),
    ).toBe("ExplicitlyDenied");
});

test("the revoker alone reads its queue, and no other", async () => {
  for (const action of ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
    for (const role of [...LEASE_FUNCTIONS, "SchedulesRole", "ProvisionerRole"])
      for (const word of QUEUES)
        expect(await decide(role, action, queueArn(word), TLS)).toBe(
          role === "RevokerRole" && word === "RevocationsQueue" ? "Allowed" : "ImplicitlyDenied",
        );
});

const ROTATORS = [
  ["secretreportsRotation", "secretreportsSecret"],
  ["secretshopRotation", "secretshopSecret"],
  ["secretadminRotation", "sandboxInstanceSecret"],
  ["LoginRotation", "SecretsIssuer"],
] as const;
const ROTATED = ROTATORS.map(([, word]) => word);
const ROTATE = ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"];

test.each(ROTATORS)("the function of %s rotates %s, and no other secret", async (rotator, own) => {
  for (const word of [...ROTATED, "SecretsJanitor", "SecretsPepper"])
    for (const action of ROTATE) {
      const administrator = rotator === "secretshopRotation" && word === "sandboxInstanceSecret";
      const reads = action === "GetSecretValue" || action === "DescribeSecret";
      expect(await decide(rotator, `secretsmanager:${action}`, secret(word))).toBe(
        word === own || (administrator && reads) ? "Allowed" : "ImplicitlyDenied",
      );
    }
});

test("only the function of the administrator's secret may change the instance", async () => {
  const [id] = only(resources, "AWS::RDS::DBInstance");
  const arn = (name: string): string => `arn:aws:rds:${REGION}:${ACCOUNT}:db:${name}`;
  for (const [rotator] of ROTATORS) {
    expect(await decide(rotator, "rds:ModifyDBInstance", arn(id))).toBe(
      rotator === "secretadminRotation" ? "Allowed" : "ImplicitlyDenied",
    );
    expect(await decide(rotator, "rds:ModifyDBInstance", arn("other"))).toBe("ImplicitlyDenied");
  }
});

test("a consumer reads the secret that it was given, and no other; nobody else reads it", async () => {
  for (const action of ["GetSecretValue", "DescribeSecret", "PutSecretValue"])
    for (const word of ROTATED)
      for (const role of ["consumerreporting", "consumeruserservice"])
        expect(await decide(role, `secretsmanager:${action}`, secret(word))).toBe(
          role === "consumerreporting" &&
            word === "secretreportsSecret" &&
            action !== "PutSecretValue"
            ? "Allowed"
            : "ImplicitlyDenied",
        );
});

test("the sweeper sees how old each rotated secret is, and no value but the issuer's", async () => {
  for (const word of ROTATED) {
    const describeIt = "secretsmanager:DescribeSecret";
    expect(await decide("SweeperRole", describeIt, secret(word))).toBe("Allowed");
    const read = await decide("SweeperRole", "secretsmanager:GetSecretValue", secret(word));
    expect(read).toBe(word === "SecretsIssuer" ? "Allowed" : "ImplicitlyDenied");
  }
});

test("the provisioner reads the secrets of the users it makes, and writes none of them", async () => {
  for (const word of ["secretreportsSecret", "secretshopSecret"]) {
    const arn = secret(word);
    expect(await decide("ProvisionerRole", "secretsmanager:GetSecretValue", arn)).toBe("Allowed");
    const written = await decide("ProvisionerRole", "secretsmanager:PutSecretValue", arn);
    expect(written).toBe("ImplicitlyDenied");
  }
});

test("what Lambda may do with network interfaces, a function's code may not", async () => {
  const create = "ec2:DescribeNetworkInterfaces";
  const code = { "lambda:SourceFunctionArn": ISSUER };
  expect(await decide("IssuerRole", create, "*")).toBe("Allowed");
  expect(await decide("IssuerRole", create, "*", code)).toBe("ExplicitlyDenied");
});
