import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DescribeDBInstancesCommand } from "@aws-sdk/client-rds";
import { GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { CfnOutput, CustomResource, type Stack } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as rds from "aws-cdk-lib/aws-rds";
import * as sns from "aws-cdk-lib/aws-sns";
import { Provider } from "aws-cdk-lib/custom-resources";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { eventually } from "../support/eventually.ts";
import { clientsOf, invoke } from "./clients.ts";
import { synthesize } from "./small-app.ts";

type Fill = (stack: Stack, code: string) => void;

const endings: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function assemblyOf(fill?: Fill): string {
  const app = synthesize(fill);
  endings.push(() => app.remove());
  return app.assembly;
}

async function start(fill?: Fill): Promise<Runner> {
  const runner = await startRunner({ assembly: assemblyOf(fill) });
  endings.push(() => runner.stop());
  return runner;
}

/** False for a zombie too, whose parent has yet to reap it. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A temp folder of this test's own, to see what is left in it. */
function ownTempFolder(): () => string[] {
  const folder = mkdtempSync(join(tmpdir(), "mayfly-test-"));
  chmodSync(folder, 0o755); // the server's user looks into it
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  endings.push(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(folder, { recursive: true });
  });
  return () => readdirSync(folder);
}

const functionOf = (stack: Stack, code: string, role?: iam.Role): lambda.Function =>
  new lambda.Function(stack, "Echo", {
    runtime: lambda.Runtime.NODEJS_24_X,
    handler: "index.handler",
    code: lambda.Code.fromAsset(code),
    ...(role && { role }),
  });

function withDatabase(stack: Stack): rds.DatabaseInstance {
  const vpc = new ec2.Vpc(stack, "Vpc", {
    maxAzs: 2,
    natGateways: 0,
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [{ name: "isolated", subnetType: ec2.SubnetType.PRIVATE_ISOLATED }],
  });
  const version = rds.PostgresEngineVersion.of("18", "18");
  const database = new rds.DatabaseInstance(stack, "Database", {
    vpc,
    vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    engine: rds.DatabaseInstanceEngine.postgres({ version }),
    instanceIdentifier: "orders-db",
    databaseName: "orders",
    credentials: rds.Credentials.fromGeneratedSecret("owner"),
    parameters: { "rds.force_ssl": "1" },
  });
  new CfnOutput(stack, "SecretArn", { value: database.secret?.secretArn ?? "" });
  return database;
}

test("a database has the attached secret's password, forces TLS, is described, and goes at stop", async () => {
  const assembly = assemblyOf(withDatabase);
  const left = ownTempFolder();
  const runner = await startRunner({ assembly });
  endings.push(() => runner.stop());
  expect(left()).toHaveLength(1);
  const { secrets, rds: client } = clientsOf(runner, "administrator");
  const { host, port } = runner.database;
  const { DBInstances } = await client.send(new DescribeDBInstancesCommand({}));
  expect(DBInstances).toMatchObject([
    {
      DBInstanceIdentifier: "orders-db",
      Engine: "postgres",
      Endpoint: { Address: host, Port: port },
    },
  ]);
  const other = new DescribeDBInstancesCommand({ DBInstanceIdentifier: "other" });
  await expect(client.send(other)).rejects.toMatchObject({
    message: "DBInstance other not found.",
  });

  const ask = new GetSecretValueCommand({ SecretId: runner.outputs.SecretArn });
  const { SecretString = "" } = await secrets.send(ask);
  const { username: user, password, dbname, ...rest } = JSON.parse(SecretString);
  expect(rest).toEqual({ engine: "postgres", host, port, dbInstanceIdentifier: "orders-db" });
  const login = { host, port, database: dbname, user, password };
  const session = new pg.Client({ ...login, ssl: { ca: readFileSync(runner.caFile, "utf8") } });
  await session.connect();
  const question =
    "select current_user as who, rolsuper from pg_roles where rolname = current_user";
  expect((await session.query(question)).rows).toEqual([{ who: "owner", rolsuper: false }]);
  await session.end();
  await expect(new pg.Client(login).connect()).rejects.toMatchObject({ code: "28000" });

  await runner.stop();
  expect(left()).toEqual([]);
});

test("stop ends every process, also of functions that are at work, and can be repeated", async () => {
  const runner = await start();
  const clients = clientsOf(runner, "administrator");
  const { answer } = await invoke(clients, "Echo11F3FB29", {});
  const hanging = invoke(clients, "Echo11F3FB29", { do: "hang" }).catch((error: Error) => error);
  await eventually(() => runner.logs().some(({ line }) => line.includes('"do":"hang"')));
  await Promise.all([runner.stop(), runner.stop()]);
  expect(lives(Number(answer?.pid))).toBe(false);
  await hanging;
  await expect(fetch(runner.endpoint)).rejects.toThrow("fetch failed");
});

test("functions die with a runner that is killed", async () => {
  const script = join(import.meta.dirname, "held-runner.ts");
  const runner = spawn(process.execPath, [script, assemblyOf(), "Echo11F3FB29"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  endings.push(() => void runner.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: runner.stdout }), "line")) as [string];
  expect(lives(Number(line))).toBe(true);
  runner.kill("SIGKILL");
  await eventually(() => !lives(Number(line)));
});

test("a custom resource that fails ends the start with its message, and nothing is left", async () => {
  const failing: Fill = (stack, code) => {
    const database = withDatabase(stack);
    const role = new iam.Role(stack, "Role", {
      assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
    });
    const handler = functionOf(stack, code, role);
    handler.addEnvironment("FAIL", "yes");
    const { serviceToken } = new Provider(stack, "Provider", { onEventHandler: handler });
    new CustomResource(stack, "Custom", { serviceToken }).node.addDependency(database);
  };
  const assembly = assemblyOf(failing);
  const left = ownTempFolder();
  await expect(startRunner({ assembly })).rejects.toThrow("Custom was not created: told to fail");
  expect(left()).toEqual([]);
});

test.each<[string, Fill, string]>([
  [
    "an unknown resource type",
    (stack) => new sns.Topic(stack, "Topic"),
    "AWS::SNS::Topic (TopicBFC7AF6E)",
  ],
  [
    "a second database server",
    (stack) => {
      withDatabase(stack);
      new rds.CfnDBInstance(stack, "Second", {});
    },
    "the local runner has one PostgreSQL; the template has 2 of AWS::RDS::DBInstance (DatabaseB269D8BB, Second)",
  ],
  [
    "a managed policy",
    (stack, code) =>
      functionOf(stack, code).role?.addManagedPolicy(
        iam.ManagedPolicy.fromAwsManagedPolicyName("AdministratorAccess"),
      ),
    "has the managed policy arn:aws:iam::aws:policy/AdministratorAccess, whose text the local runner does not have",
  ],
  [
    "an execution role that Lambda cannot assume",
    (stack, code) =>
      functionOf(
        stack,
        code,
        new iam.Role(stack, "Role", { assumedBy: new iam.AccountRootPrincipal() }),
      ),
    "The role defined for the function cannot be assumed by Lambda.",
  ],
  [
    "two resource policies on one function",
    (stack, code) => {
      const echo = functionOf(stack, code);
      for (const service of ["events", "secretsmanager"])
        echo.grantInvoke(new iam.ServicePrincipal(`${service}.amazonaws.com`));
      new lambda.CfnResourcePolicy(stack, "Policy", {
        resourceArn: echo.functionArn,
        policyDocument: {},
      });
    },
    "has an AWS::Lambda::ResourcePolicy and an AWS::Lambda::Permission",
  ],
  [
    "a custom resource without CDK's provider framework",
    (stack, code) =>
      new CustomResource(stack, "Custom", { serviceToken: functionOf(stack, code).functionArn }),
    "Custom: the local runner only has custom resources behind CDK's Provider",
  ],
  [
    "inline code",
    (stack) =>
      new lambda.Function(stack, "Inline", {
        runtime: lambda.Runtime.NODEJS_24_X,
        handler: "index.handler",
        code: lambda.Code.fromInline("//"),
      }),
    "inline code",
  ],
])("%s ends the start, by name", async (_, fill, message) => {
  await expect(startRunner({ assembly: assemblyOf(fill) })).rejects.toThrow(message);
});

test("an assembly without the wanted stack names those it has", async () => {
  const assembly = assemblyOf();
  await expect(startRunner({ assembly, stack: "Big" })).rejects.toThrow(
    `${assembly} holds the stacks Small; name one of them, not Big`,
  );
});
