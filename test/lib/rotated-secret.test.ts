import { Duration, Stack } from "aws-cdk-lib";
import { Connections, Peer, Vpc } from "aws-cdk-lib/aws-ec2";
import { AccountRootPrincipal, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { afterAll, expect, test } from "vitest";
import { RotatedSecret, type RotatedSecretProps, RotationSchedule } from "../../lib/index.ts";
import { Resolved } from "./resolved.ts";
import { assetFile, ofType, only, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:";
const ADMIN = `${ARN}db/admin-AbCdEf`;

const imported = (stack: Stack, arn: string, id = "Theirs") =>
  Secret.fromSecretCompleteArn(stack, id, arn);

/** A secret of one user in front of a server that exists. */
function rotated(
  props: Partial<RotatedSecretProps> | ((stack: Stack) => Partial<RotatedSecretProps>) = {},
  stack: Stack = new Stack(bench.app(), "Team"),
): RotatedSecret {
  return new RotatedSecret(stack, "Reports", {
    database: "orders",
    name: "reports",
    strategy: "single-user",
    username: "reports",
    host: "db.example.com",
    vpc: Vpc.fromVpcAttributes(stack, "Vpc", {
      vpcId: "vpc-0123456789abcdef0",
      availabilityZones: ["eu-west-1a"],
      privateSubnetIds: ["subnet-0123456789abcdef0"],
    }),
    databaseConnections: new Connections({ peer: Peer.ipv4("10.0.0.5/32") }),
    assets: bench.assets,
    ...(typeof props === "function" ? props(stack) : props),
  });
}

const two = (stack: Stack) => ({
  strategy: "alternating-users" as const,
  username: undefined,
  usernames: ["shop_a", "shop_b"],
  ownerGroup: "shop_owner",
  adminSecret: imported(stack, ADMIN, "Admin"),
});
const master = (stack: Stack) => ({
  strategy: "master-user" as const,
  username: "postgres",
  adminSecret: imported(stack, ADMIN, "Admin"),
});

test.each<[string, Parameters<typeof rotated>[0], string]>([
  ["a database's name", { database: "Orders" }, '"Orders" '],
  ["the issuer's name", { name: "issuer" }, '"issuer" is not a secret\'s name; write 1 to 16'],
  ["a user", { username: "mf_x" }, 'reports.username: "mf_x" '],
  ["no user", { username: undefined }, "reports.username: missing"],
  [
    "a schedule",
    { schedule: RotationSchedule.every(Duration.hours(3)) },
    'reports.schedule: "3 hours" ',
  ],
  [
    "seconds",
    { schedule: RotationSchedule.every(Duration.seconds(14_401)) },
    'reports.schedule: "4 hours 1 second" ',
  ],
  [
    "a cron expression",
    { schedule: RotationSchedule.cron("cron(0 4 * * * *)") },
    'reports.schedule: "cron(0 4 * * * *)" ',
  ],
  ["a window", { window: Duration.minutes(90) }, 'reports.window: "1 hour 30 minutes" '],
  ["no bundles", { assets: "/nowhere", tls: "plaintext" }, "/nowhere/rotator/index.mjs "],
  ["a certificate", { ca: "ca.pem" }, 'orders.ca: "ca.pem" '],
  [
    "two users without an administrator",
    (stack) => ({ ...two(stack), adminSecret: undefined }),
    "Team/Reports: alternating-users needs adminSecret, by which the passwords are set",
  ],
  [
    "two users without a group",
    (stack) => ({ ...two(stack), ownerGroup: undefined }),
    "reports: needs role or ownerGroup",
  ],
  [
    "an administrator of no instance",
    master,
    "Team/Reports: master-user needs instanceIdentifier or clusterIdentifier, on which RDS sets the password",
  ],
  [
    "an administrator without a name",
    (stack) => ({ ...master(stack), username: undefined, instanceIdentifier: "orders-db" }),
    "Team/Reports: master-user needs username, the administrator who is in the secret; its function refuses any other",
  ],
  [
    "an administrator without a secret",
    { strategy: "master-user", username: "postgres", instanceIdentifier: "orders-db" },
    "Team/Reports: master-user needs the secret to rotate; pass secret or adminSecret",
  ],
  [
    "an instance and a cluster",
    (stack) => ({ ...two(stack), instanceIdentifier: "a", clusterIdentifier: "b" }),
    'clusterIdentifier "b" does not go with instanceIdentifier "a"',
  ],
  [
    "a secret that RDS manages",
    (stack) => ({ secret: imported(stack, `${ARN}rds!db-0123-AbCdEf`) }),
    '"rds!db-0123" is rotated by RDS, which made it; let RDS manage the password no longer, or leave its rotation to RDS',
  ],
  [
    "a secret that is known by name",
    (stack) => ({ secret: Secret.fromSecretNameV2(stack, "Theirs", "reports") }),
    'Team/Reports: "reports" is known by its name, and a rotation needs the one secret that it is; import it by its complete ARN',
  ],
  [
    "a Region for a secret that exists",
    (stack) => ({
      secret: imported(stack, ADMIN),
      replicaRegions: [{ region: "eu-central-1" }],
    }),
    "Team/Reports: encryptionKey and replicaRegions are a new secret's, and this one exists; remove them",
  ],
  [
    "a query that is known later",
    (stack) => ({ testQueries: [`select '${stack.account}'`] }),
    "Team/Reports/Rotation: names of users and roles, queries and roots must be known when the app is synthesized",
  ],
])("refuses %s in its constructor, with the value and the remedy", (_what, props, message) => {
  expect(() => rotated(props)).toThrow(message);
});

test("a secret is made with what an application needs, and a password by the policy", () => {
  const made = rotated({
    port: 6_432,
    databaseName: "orders",
    passwordLength: 40,
    excludeCharacters: "%",
    encryptionKey: undefined,
    replicaRegions: [{ region: "eu-central-1" }],
  });
  const [, { Properties }] = only(resourcesOf(Stack.of(made)), "AWS::SecretsManager::Secret");
  expect(Properties).toMatchObject({
    GenerateSecretString: {
      SecretStringTemplate:
        '{"engine":"postgres","host":"db.example.com","port":6432,"dbname":"orders","username":"reports"}',
      GenerateStringKey: "password",
      PasswordLength: 40,
      ExcludeCharacters: " %",
    },
    ReplicaRegions: [{ Region: "eu-central-1" }],
  });
});

test("a kind of character that is excluded as a whole is not required", () => {
  const made = rotated({ excludeCharacters: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~0123456789" });
  const [, { Properties }] = only(resourcesOf(Stack.of(made)), "AWS::SecretsManager::Secret");
  const { GenerateSecretString } = Properties as { GenerateSecretString: object };
  expect(GenerateSecretString).toMatchObject({ ExcludePunctuation: true, ExcludeNumbers: true });
  expect(GenerateSecretString).not.toHaveProperty("ExcludeLowercase");
});

test("the function's environment has its secret and settings, and no password", () => {
  const made = rotated((stack) => ({ ...two(stack), testQueries: ["select 1"] }));
  const stack = Stack.of(made);
  const resources = resourcesOf(stack);
  const [, { Properties }] = only(resources, "AWS::Lambda::Function");
  const resolved = new Resolved(resources);
  expect(resolved.value(Properties.Environment)).toEqual({
    Variables: {
      POWERTOOLS_SERVICE_NAME: "mayfly",
      POWERTOOLS_METRICS_NAMESPACE: "Mayfly",
      DB_HOST: "db.example.com",
      DB_PORT: "5432",
      SECRET_ARN: resolved.arn("AWS::SecretsManager::Secret"),
      MASTER_SECRET_ARN: ADMIN,
    },
  });
  expect(Properties).toMatchObject({ Timeout: 60, MemorySize: 512 });
  expect(JSON.parse(assetFile(stack, "Rotator", "rotation.json"))).toEqual({
    database: "orders",
    secret: "reports",
    strategy: "alternating-users",
    usernames: ["shop_a", "shop_b"],
    group: "shop_owner",
    actsAsGroup: true,
    tls: "verify-full",
    password: { length: 32, excludeCharacters: " !\"#$%&'()*+,./:;<=>?@[\\]^`{|}~" },
    testQueries: ["select 1"],
  });
  const [, secret] = only(resources, "AWS::SecretsManager::Secret");
  expect(JSON.stringify(secret.Properties)).toContain(String.raw`\"masterarn\":\"${ADMIN}\"`);
});

test.each([
  [
    "an instance",
    { instanceIdentifier: "orders-db" },
    { DB_INSTANCE: "orders-db" },
    ["rds:ModifyDBInstance", "rds:DescribeDBInstances"],
    ":db:orders-db",
  ],
  [
    "a cluster",
    { clusterIdentifier: "orders" },
    { DB_CLUSTER: "orders" },
    ["rds:ModifyDBCluster", "rds:DescribeDBClusters"],
    ":cluster:orders",
  ],
])(
  "the administrator's password is set on %s, and on nothing else",
  (_what, props, env, actions, end) => {
    const made = rotated((stack) => ({ ...master(stack), ...props }));
    const resources = resourcesOf(Stack.of(made));
    expect(ofType(resources, "AWS::SecretsManager::Secret")).toEqual([]);
    const [, { Properties }] = only(resources, "AWS::Lambda::Function");
    expect(Properties).toMatchObject({ Timeout: 300, Environment: { Variables: env } });
    const [{ policy } = { policy: {} }] = new Resolved(resources).identityPolicies("RotatorRole");
    const { Statement } = policy as { Statement: { Sid: string; Resource: string }[] };
    const set = Statement.find(({ Sid }) => Sid === "SetMasterPassword");
    expect(set).toMatchObject({ Action: actions, Resource: expect.stringMatching(`${end}$`) });
  },
);

test("a secret that exists is rotated where it is: none is made, nothing of it is set", () => {
  const made = rotated((stack) => ({ secret: imported(stack, `${ARN}reports-AbCdEf`) }));
  const resources = resourcesOf(Stack.of(made));
  for (const type of ["Secret", "ResourcePolicy", "SecretTargetAttachment"])
    expect(ofType(resources, `AWS::SecretsManager::${type}`)).toEqual([]);
  const [, { Properties }] = only(resources, "AWS::SecretsManager::RotationSchedule");
  expect(Properties).toMatchObject({
    SecretId: `${ARN}reports-AbCdEf`,
    RotateImmediatelyOnUpdate: true,
    RotationRules: { ScheduleExpression: "rate(30 days)" },
  });
  expect(made.secret.secretArn).toBe(`${ARN}reports-AbCdEf`);
});

test("the first rotation comes after the permission and the way to the database", () => {
  const made = rotated({
    schedule: RotationSchedule.cron("0 4 1 * ? *"),
    window: Duration.hours(2),
    rotateImmediatelyOnUpdate: false,
  });
  const resources = resourcesOf(Stack.of(made));
  const [, schedule] = only(resources, "AWS::SecretsManager::RotationSchedule");
  expect(schedule.Properties).toMatchObject({
    RotateImmediatelyOnUpdate: false,
    RotationRules: { ScheduleExpression: "cron(0 4 1 * ? *)", Duration: "2h" },
  });
  expect(schedule.DependsOn).toEqual([
    only(resources, "AWS::Lambda::Permission")[0],
    only(resources, "AWS::EC2::SecurityGroup")[0],
  ]);
});

test("Secrets Manager may call the function for the account; with sourceArn, for the secret", () => {
  const permissionOf = (sourceArn?: boolean): unknown => {
    const made = rotated({ ...(sourceArn !== undefined && { sourceArn }) });
    return only(resourcesOf(Stack.of(made)), "AWS::Lambda::Permission")[1].Properties;
  };
  expect(permissionOf()).toEqual({
    Action: "lambda:InvokeFunction",
    FunctionName: { "Fn::GetAtt": [expect.stringContaining("Rotator"), "Arn"] },
    Principal: "secretsmanager.amazonaws.com",
    SourceAccount: { Ref: "AWS::AccountId" },
  });
  expect(permissionOf(true)).toMatchObject({
    SourceAccount: { Ref: "AWS::AccountId" },
    SourceArn: { Ref: expect.stringContaining("ReportsSecret") },
  });
});

test("a reader may read this secret alone, and decrypt it through Secrets Manager alone", () => {
  const stack = new Stack(bench.app(), "Team");
  const encryptionKey = new Key(stack, "Key");
  const made = rotated({ encryptionKey }, stack);
  made.grantRead(new Role(stack, "Reader", { assumedBy: new AccountRootPrincipal() }));
  const resources = resourcesOf(stack);
  const [secret] = only(resources, "AWS::SecretsManager::Secret");
  const [key] = only(resources, "AWS::KMS::Key");
  const statementsOf = (word: string): unknown =>
    (
      only(resources, "AWS::IAM::Policy", word)[1].Properties.PolicyDocument as {
        Statement: unknown;
      }
    ).Statement;
  const via = {
    "Fn::Join": ["", ["secretsmanager.", { Ref: "AWS::Region" }, ".", { Ref: "AWS::URLSuffix" }]],
  };
  const decrypt = {
    Effect: "Allow",
    Resource: { "Fn::GetAtt": [key, "Arn"] },
    Condition: { StringEquals: { "kms:ViaService": via } },
  };
  expect(statementsOf("Reader")).toEqual([
    {
      Effect: "Allow",
      Action: ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
      Resource: { Ref: secret },
    },
    { ...decrypt, Action: "kms:Decrypt" },
  ]);
  expect(statementsOf("RotatorRole")).toContainEqual({
    ...decrypt,
    Action: ["kms:Decrypt", "kms:GenerateDataKey"],
  });
});

test("refuses readers to whom no policy can be attached", () => {
  const stack = new Stack(bench.app(), "Team", {
    env: { account: "111122223333", region: "eu-west-1" },
  });
  const made = rotated({}, stack);
  const foreign = Role.fromRoleArn(stack, "F", "arn:aws:iam::999988887777:role/reports");
  for (const reader of [foreign, new ServicePrincipal("ecs-tasks.amazonaws.com")])
    expect(() => made.grantRead(reader)).toThrow(
      "no policy can be attached to it; pass a role of the stack's account",
    );
});

test("refuses a Region without roots, and warns of plaintext", () => {
  const stack = new Stack(bench.app(), "Team", { env: { account: "1", region: "us-gov-west-1" } });
  expect(() => rotated({}, stack)).toThrow('no RDS roots for Region "us-gov-west-1"');
  const plain = rotated({ tls: "plaintext" });
  expect(plain.node.metadata.map(({ type }) => type)).toContain("aws:cdk:warning");
});

test("a length is a rate of Secrets Manager, and one that is not is shown as it was given", () => {
  const schedules = [Duration.days(30), Duration.hours(48), Duration.hours(12)];
  expect(schedules.map((each) => RotationSchedule.every(each).parsed)).toMatchObject([
    { expression: "rate(30 days)" },
    { expression: "rate(2 days)" },
    { expression: "rate(12 hours)" },
  ]);
  const schedule = RotationSchedule.every(Duration.minutes(250));
  expect(() => rotated({ schedule })).toThrow(
    'schedule: "4 hours 10 minutes" is not a rate that Secrets Manager accepts; write whole hours',
  );
});
