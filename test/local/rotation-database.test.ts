import { readFileSync } from "node:fs";
import {
  DescribeDBInstancesCommand,
  ModifyDBClusterCommand,
  ModifyDBInstanceCommand,
} from "@aws-sdk/client-rds";
import { PutSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { Duration, type Stack } from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import * as rds from "aws-cdk-lib/aws-rds";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Fate } from "../../local/lambda/lambda-pool.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { eventually } from "../support/eventually.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { bundleRotation, output, rotator, secretOf } from "./rotation-app.ts";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

const ID = "orders-db";

let bundle: ReturnType<typeof bundleRotation>;
let app: SynthesizedApp;
let runner: Runner;
let administrator: Clients;
let fateOf: (step: string) => Fate = () => "run";

function build(stack: Stack): void {
  const vpc = new ec2.Vpc(stack, "Vpc", {
    maxAzs: 2,
    natGateways: 0,
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [{ name: "isolated", subnetType: ec2.SubnetType.PRIVATE_ISOLATED }],
  });
  const source = new rds.DatabaseInstance(stack, "Database", {
    vpc,
    vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    engine: rds.DatabaseInstanceEngine.postgres({
      version: rds.PostgresEngineVersion.of("18", "18"),
    }),
    instanceIdentifier: ID,
    databaseName: "orders",
    credentials: rds.Credentials.fromGeneratedSecret("owner", { excludeCharacters: "/@\" '\\" }),
  });
  source.secret?.addRotationSchedule("Rotation", {
    rotationLambda: rotator(stack, bundle.code, "rotator", "postgres"),
    automaticallyAfter: Duration.days(30),
  });
  const role = new iam.Role(stack, "Reader", { assumedBy: new iam.AccountRootPrincipal() });
  output(stack, "ReaderArn", role.roleArn);
  output(stack, "SecretArn", source.secret?.secretArn ?? "");
}

beforeAll(async () => {
  bundle = bundleRotation();
  app = synthesize(build);
  runner = await startRunner({
    assembly: app.assembly,
    rotationRetrySeconds: 600,
    onInvoke: (_, payload) => fateOf((JSON.parse(payload) as { Step: string }).Step),
  });
  administrator = clientsOf(runner, "administrator");
});

afterEach(() => {
  fateOf = () => "run";
});

afterAll(async () => {
  await runner.stop();
  app.remove();
  bundle.remove();
});

const secret = () => secretOf(administrator, runner.outputs.SecretArn ?? "");

async function login({ username: user, password, host, port, dbname: database }: Login) {
  const ssl = { ca: readFileSync(runner.caFile, "utf8") };
  const session = new pg.Client({ host, port: Number(port), user, password, database, ssl });
  await session.connect();
  await session.end();
}
type Login = Record<string, string>;

const REFUSED = { code: "28P01" };

test("the first rotation changes the password in the database as well", async () => {
  await runner.rotations.finished();
  await login(await secret().value());
  const previous = await secret().value("AWSPREVIOUS");
  await expect(login(previous)).rejects.toMatchObject(REFUSED);
});

test("a rotation that dies after it changed the password is completed by the next attempt", async () => {
  const before = await secret().value();
  fateOf = (step) => (step === "setSecret" ? "kill-after" : "run");
  const { VersionId } = await secret().rotate();
  await runner.rotations.idle();
  // applications are locked out until then: the weakness of a single user
  await expect(login(await secret().value())).rejects.toMatchObject(REFUSED);
  fateOf = () => "run";
  await runner.rotations.advance(600_000);
  expect((await secret().labels()).AWSCURRENT).toBe(VersionId);
  await login(await secret().value());
  await expect(login(before)).rejects.toMatchObject(REFUSED);
});

const modify = (MasterUserPassword: string, DBInstanceIdentifier = ID) =>
  administrator.rds.send(
    new ModifyDBInstanceCommand({
      DBInstanceIdentifier,
      MasterUserPassword,
      ApplyImmediately: true,
    }),
  );

async function described() {
  const { DBInstances } = await administrator.rds.send(new DescribeDBInstancesCommand({}));
  return DBInstances?.[0];
}

test("RDS changes the master password a while after it was told to", async () => {
  const before = await secret().value();
  const password = "Another-password-1";
  const { DBInstance } = await modify(password);
  const PendingModifiedValues = { MasterUserPassword: "****" };
  expect(DBInstance).toMatchObject({ DBInstanceStatus: "available", PendingModifiedValues });
  expect(await described()).toMatchObject({
    DBInstanceStatus: "resetting-master-credentials",
    PendingModifiedValues,
  });
  await expect(modify("Yet-another-one-2")).rejects.toMatchObject({
    name: "InvalidDBInstanceStateFault",
  });
  await eventually(async () => (await described())?.DBInstanceStatus === "available");
  expect((await described())?.PendingModifiedValues).toBeUndefined();
  await login({ ...before, password });
  await expect(login(before)).rejects.toMatchObject(REFUSED);
  const { secrets } = administrator;
  const SecretString = JSON.stringify({ ...before, password });
  await secrets.send(
    new PutSecretValueCommand({ SecretId: runner.outputs.SecretArn, SecretString }),
  );
});

describe("RDS refuses", () => {
  test.each([
    ["1234567", "because it is shorter than 8 characters."],
    ["x".repeat(129), "because it is longer than 128 characters."],
    ...["slash/slash", 'quote"quote', "at@at@at@", "a space here", "ümläutümläut"].map((each) => [
      each,
      "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
    ]),
  ])("the password %s", async (password, why) => {
    await expect(modify(password)).rejects.toMatchObject({
      name: "InvalidParameterValue",
      message: expect.stringContaining(why),
    });
  });

  test("unknown instances, unimplemented changes and callers without permission", async () => {
    await expect(modify("Long-enough-1", "nowhere")).rejects.toMatchObject({
      message: "DBInstance nowhere not found.",
    });
    const cluster = new ModifyDBClusterCommand({ DBClusterIdentifier: "none" });
    await expect(administrator.rds.send(cluster)).rejects.toMatchObject({
      name: "DBClusterNotFoundFault",
      message: "DBCluster none not found.",
    });
    const larger = new ModifyDBInstanceCommand({ DBInstanceIdentifier: ID, AllocatedStorage: 200 });
    await expect(administrator.rds.send(larger)).rejects.toMatchObject({
      name: "NotImplemented",
      message: expect.stringContaining("rds:ModifyDBInstance with AllocatedStorage"),
    });
    const reader = clientsOf(runner, runner.outputs.ReaderArn ?? "");
    for (const command of [larger, cluster])
      await expect(reader.rds.send(command as never)).rejects.toThrow(
        / rds:ModifyDB(Instance|Cluster) on resource: arn:aws:rds:/,
      );
  });
});
