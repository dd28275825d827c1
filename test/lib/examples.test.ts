import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { generate } from "selfsigned";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tempFolder } from "../../local/temp-folder.ts";
import type { Statement } from "./privileges/decide.ts";
import { cellsOf, privilegesIn } from "./privileges/matrix.ts";
import { allowed, world as shippedWorld } from "./privileges/shipped.ts";
import { unexplained } from "./privileges/stars.ts";
import { type World, worldOf } from "./privileges/world.ts";
import { Resolved } from "./resolved.ts";
import { ofType, only, type Resources } from "./synthesized.ts";

const root = join(import.meta.dirname, "..", "..");
const { path: folder, remove } = tempFolder("examples");
afterAll(remove);

const PROGRAMS = {
  ...Object.fromEntries(
    [
      "existing-instance",
      "existing-cluster",
      "rotated-secrets",
      "any-postgres",
      "ecs-sidecar",
      "two-accounts",
      "permissions-boundary",
    ].map((name) => [name, `examples/${name}.ts`]),
  ),
  shipped: "bin/app.ts",
};

/**
 * Runs them as the CDK's command line does, with its validation; all in one process, which loads that
 * once: it takes longer than all the rest.
 */
const TOGETHER = `
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(${JSON.stringify(join(root, "package.json"))});
const { App } = require("aws-cdk-lib");
const { AwsSolutionsChecks } = require("cdk-nag");
const { synth } = App.prototype;
App.prototype.synth = function () {
  const assembly = synth.call(this);
  if (this.outdir.endsWith("ecs-sidecar")) {
    const { violations } = new AwsSolutionsChecks(this).validateScope(this);
    const rules = violations.map(({ ruleName }) => ruleName);
    writeFileSync(this.outdir + "/nag.json", JSON.stringify(rules));
  }
  return assembly;
};
for (const [name, path] of ${JSON.stringify(Object.entries(PROGRAMS))}) {
  process.env.CDK_OUTDIR = name;
  await import(${JSON.stringify(`${pathToFileURL(root).href}/`)} + path);
}`;

const SLOW_WHEN_COLD = 240_000;

const authority = join(folder, "root.pem");
beforeAll(async () => {
  const { cert } = await generate([{ name: "commonName", value: "Example Root" }]);
  writeFileSync(authority, cert);
  const env = { PATH: process.env.PATH, PGSSLROOTCERT: authority };
  const args = ["--input-type=module", "--eval", TOGETHER];
  await promisify(execFile)(process.execPath, args, { cwd: folder, env });
}, SLOW_WHEN_COLD);

interface Synthesized {
  readonly resources: Resources;
  /** What the issuer is deployed with. */
  readonly deployment: Readonly<Record<string, unknown>>;
}

/** A file of what an example made. */
function made(example: string): (...path: string[]) => unknown {
  const read = (...path: string[]): unknown =>
    JSON.parse(readFileSync(join(folder, example, ...path), "utf8"));
  expect(read("validation-report.json")).toMatchObject({ pluginReports: [] });
  return read;
}

/** What an example made. */
function synthesize(example: string, stack: string): Synthesized {
  const read = made(example);
  const { Resources } = read(`${stack}.template.json`) as { Resources: Resources };
  const [, { Properties }] = only(Resources, "AWS::Lambda::Function", "FunctionsIssuer");
  const { S3Key } = Properties.Code as { readonly S3Key: string };
  const deployment = read(`asset.${S3Key.replace(/\.zip$/, "")}`, "deployment.json");
  return { resources: Resources, deployment: deployment as Synthesized["deployment"] };
}

test("CloudFormation's own rules find nothing in the shipped stack", () => {
  expect(made("shipped")("Mayfly.template.json")).toHaveProperty("Outputs.OrdersIssuerArn");
});

test.each([
  ["existing-instance", "Orders"],
  ["existing-cluster", "Billing"],
  ["rotated-secrets", "Secrets"],
  ["any-postgres", "Ledger"],
  ["ecs-sidecar", "Shop"],
  ["permissions-boundary", "Bounded"],
])("examples/%s.ts allows no * without a reason on record", async (example, stack) => {
  const { Resources } = made(example)(`${stack}.template.json`) as { Resources: Resources };
  expect(await unexplained(Resources)).toEqual([]);
});

const addressOf = (resources: Resources): unknown => {
  const [, { Properties }] = only(resources, "AWS::Lambda::Function", "FunctionsIssuer");
  const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
  return [Variables.DB_HOST, Variables.DB_PORT];
};

describe.each([
  {
    example: "existing-instance",
    stack: "Orders",
    alias: "user-service--readonly",
    address: ["orders-db.abc123.eu-west-1.rds.amazonaws.com", "5432"],
  },
  {
    example: "existing-cluster",
    stack: "Billing",
    alias: "reporting--readonly",
    address: ["billing.cluster-abc123.eu-west-1.rds.amazonaws.com", "5432"],
  },
])("examples/$example", ({ example, stack, alias, address }) => {
  test("lets its functions into the security group that exists, and makes no database", () => {
    const { resources, deployment } = synthesize(example, stack);
    const [, ingress] = only(resources, "AWS::EC2::SecurityGroupIngress");
    const [group] = only(resources, "AWS::EC2::SecurityGroup");
    expect(ingress.Properties).toMatchObject({
      GroupId: "sg-0123456789abcdef0",
      FromPort: 5_432,
      ToPort: 5_432,
      SourceSecurityGroupId: { "Fn::GetAtt": [group, "GroupId"] },
    });
    expect(addressOf(resources)).toEqual(address);
    expect(Object.values(resources).map(({ Type }) => Type)).not.toContain("AWS::RDS::DBInstance");
    expect(deployment).not.toHaveProperty("ca");
    expect(Object.keys(deployment.grants as object)).toEqual([alias]);
  });
});

describe("examples/rotated-secrets.ts", () => {
  test("makes one secret, rotates it and one that exists, and provisions nothing", () => {
    const read = made("rotated-secrets");
    const { Resources } = read("Secrets.template.json") as { Resources: Resources };
    const types = Object.values(Resources).map(({ Type }) => Type);
    const count = (type: string): number => types.filter((each) => each === type).length;
    expect(count("AWS::SecretsManager::Secret")).toBe(1);
    expect(count("AWS::SecretsManager::RotationSchedule")).toBe(2);
    expect(count("AWS::Lambda::Function")).toBe(2);
    expect(types.filter((type) => type.startsWith("Custom::"))).toEqual([]);
    const [, adopted] = only(Resources, "AWS::SecretsManager::RotationSchedule", "Reports");
    expect(adopted.Properties.SecretId).toMatch(/:secret:reports-AbCdEf$/);
  });
});

describe("examples/any-postgres.ts", () => {
  test("trusts the authority it is given, and opens a way to one address", () => {
    const { resources, deployment } = synthesize("any-postgres", "Ledger");
    expect(addressOf(resources)).toEqual(["ledger.corp.example.com", "5433"]);
    expect(deployment).toMatchObject({
      database: "ledger",
      tls: "verify-full",
      ca: readFileSync(authority, "utf8"),
    });
    expect(ofType(resources, "AWS::EC2::SecurityGroupIngress")).toEqual([]);
    const [, group] = only(resources, "AWS::EC2::SecurityGroup");
    expect(group.Properties.SecurityGroupEgress).toEqual([
      expect.objectContaining({ FromPort: 443, CidrIp: "0.0.0.0/0" }),
      expect.objectContaining({ FromPort: 5_433, CidrIp: "10.20.0.5/32" }),
    ]);
  });
});

/** What cdk-nag finds in the service, and why it stays. */
const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [/^AwsSolutions-ECS2$/, "the agent's configuration and the proxy's address are no secrets"],
  [/^AwsSolutions-IAM5\[Resource::\*\]$/, "ECR's token, EC2 and ListSchedules know no resources"],
  [/^AwsSolutions-SMG4$/, "of all secrets, the pepper alone is not rotated"],
  [/^AwsSolutions-SQS3$/, "the queue is where schedules end that Scheduler could not deliver"],
  [/^AwsSolutions-IAM5\[.*:schedule\/.*\/\*\]$/, "schedules are named at run time, in one group"],
];

describe("examples/ecs-sidecar.ts", () => {
  test("makes a service whose application waits for the agent, and whose task role may ask", () => {
    const { resources, deployment } = synthesize("ecs-sidecar", "Shop");
    expect(Object.keys(deployment.grants as object)).toEqual(["shop--readonly"]);
    const [, { Properties }] = only(resources, "AWS::ECS::TaskDefinition");
    expect(Properties.ContainerDefinitions).toMatchObject([
      {
        Name: "app",
        DependsOn: [{ ContainerName: "mayfly", Condition: "HEALTHY" }],
        Environment: expect.arrayContaining([{ Name: "PGHOST", Value: "127.0.0.1" }]),
      },
      {
        Name: "mayfly",
        ReadonlyRootFilesystem: true,
        Environment: expect.arrayContaining([
          { Name: "MAYFLY_LEASE_ORDERS_READONLY", Value: expect.anything() },
        ]),
      },
    ]);
    const [role] = only(resources, "AWS::IAM::Role", "TaskTaskRole");
    const [, policy] = only(resources, "AWS::Lambda::ResourcePolicy", "rolereadonly");
    expect(JSON.stringify(policy)).toContain(`"aws:PrincipalArn":{"Fn::GetAtt":["${role}","Arn"]}`);
    const [, invoke] = only(resources, "AWS::IAM::Policy", "TaskTaskRole");
    expect(invoke.Properties.PolicyDocument).toMatchObject({
      Statement: [{ Action: "lambda:InvokeFunction", Effect: "Allow" }],
    });
  });

  test("every finding of cdk-nag is explained, and every explanation is needed", () => {
    const rules = made("ecs-sidecar")("nag.json") as readonly string[];
    const explains = (rule: string): boolean => EXPLAINED.some(([pattern]) => pattern.test(rule));
    expect(rules.filter((rule) => !explains(rule))).toEqual([]);
    const needless = EXPLAINED.filter(([pattern]) => !rules.some((rule) => pattern.test(rule)));
    expect(needless).toEqual([]);
  });
});

describe("examples/two-accounts.ts", () => {
  const ALIAS =
    /:lambda:eu-west-1:111122223333:function:mayfly-Data-\w{4}-issuer:reporting--readonly/;
  const read = () => made("two-accounts");

  test("the consumer's account has the role, and its permission on the alias", () => {
    const { Resources } = read()("Shop.template.json") as { Resources: Resources };
    const [, role] = only(Resources, "AWS::IAM::Role", "Role");
    expect(role.Properties.RoleName).toBe("shop-reporting");
    const [, policy] = only(Resources, "AWS::IAM::Policy", "InvokeMayfly");
    expect(JSON.stringify(policy.Properties.PolicyDocument)).toMatch(ALIAS);
    const [, task] = only(Resources, "AWS::ECS::TaskDefinition");
    expect(JSON.stringify(task.Properties.ContainerDefinitions)).toMatch(ALIAS);
  });

  test("the database's account has the alias, which allows that role and refuses all others", () => {
    const { Resources } = read()("Data.template.json") as { Resources: Resources };
    const [, { Properties }] = only(Resources, "AWS::Lambda::ResourcePolicy", "reporting");
    const text = JSON.stringify(Properties.PolicyDocument);
    expect(text.match(/:iam::222233334444:role\/shop-reporting/g)).toHaveLength(2);
    expect(text).toContain('"Effect":"Deny"');
    expect(
      ofType(Resources, "AWS::IAM::Policy").filter(([id]) => id.includes("reporting")),
    ).toEqual([]);
  });
});

describe("examples/permissions-boundary.ts", () => {
  const bounded = (): { resources: Resources; boundary: readonly Statement[] } => {
    const { resources } = synthesize("permissions-boundary", "Bounded");
    const [, { Properties }] = only(resources, "AWS::IAM::ManagedPolicy", "Boundary");
    const document = new Resolved(resources).value(Properties.PolicyDocument);
    return { resources, boundary: (document as { Statement: Statement[] }).Statement };
  };
  /** What every role may do, with a boundary or without. */
  const privileges = async (world: World, boundary?: readonly Statement[]) =>
    Promise.all(
      world.roles.map(async (role) => [
        role.name,
        privilegesIn(await cellsOf(role, world, boundary && { boundary })),
      ]),
    );

  test("every role of the stack has the boundary", () => {
    const { resources } = bounded();
    const [id] = only(resources, "AWS::IAM::ManagedPolicy", "Boundary");
    const roles = ofType(resources, "AWS::IAM::Role");
    expect(roles.length).toBeGreaterThan(6);
    for (const [, { Properties }] of roles)
      expect(Properties.PermissionsBoundary).toEqual({ Ref: id });
  });

  test("all that the tables allow still works, here and in the shipped stack", async () => {
    const { resources, boundary } = bounded();
    for (const world of [worldOf(resources, new Resolved(resources)), shippedWorld])
      expect(await privileges(world, boundary)).toEqual(await privileges(world));
  });

  test("a role whose policies are widened gains no way to change functions, roles or queues", async () => {
    const { boundary } = bounded();
    const cells = await cellsOf(allowed("widened", "*"), shippedWorld, { boundary });
    const may = Object.keys(privilegesIn(cells));
    expect(may).toContain("secretsmanager:GetSecretValue");
    const escalations =
      /Update(?!SecretVersionStage)|Create(?!Schedule$|NetworkInterface|LogStream)|Permission|ResourcePolic|DeleteFunction|RolePolicy|to lambda|Attributes$(?<!GetQueueAttributes)/;
    expect(may.filter((each) => escalations.test(each))).toEqual([]);
  });
});
