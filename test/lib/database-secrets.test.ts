import { isDeepStrictEqual } from "node:util";
import { type App, Duration, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { Key } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { afterAll, expect, test } from "vitest";
import type { MayflyConfig } from "../../config/config.ts";
import { type AddRotatedSecretProps, RotationSchedule } from "../../lib/index.ts";
import { host } from "../config/sample-config.ts";
import { assetFile, ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:";
const REPORTS = { strategy: "single-user", username: "reports", role: "readonly" } as const;
const SHOP: AddRotatedSecretProps = {
  strategy: "alternating-users",
  usernames: ["shop_a", "shop_b"],
  ownerGroup: "shop_owner",
};

const database = (props: Parameters<Workbench["database"]>[0] = {}, stack?: Stack) => {
  const made = bench.database(props, stack);
  made.addRole("readonly", READONLY);
  return made;
};

const planIn = (stack: Stack): Record<string, unknown> =>
  JSON.parse(String(only(resourcesOf(stack), "Custom::MayflyProvision")[1].Properties.Plan));

test.each<[string, string, AddRotatedSecretProps, string]>([
  ["a name", "Reports", REPORTS, '"Reports" is not a secret\'s name; write 1 to 16 of a-z'],
  ["the issuer's name", "issuer", REPORTS, '"issuer" '],
  ["the janitor's name", "janitor", REPORTS, '"janitor" '],
  ["no privileges", "x", { ...REPORTS, role: undefined }, "x: needs role or ownerGroup"],
  [
    "a user of another secret",
    "x",
    { ...REPORTS, username: "shop_b" },
    'secret "x" of orders: "shop_b" ',
  ],
  ["a second of one name", "shop", REPORTS, 'orders has a secret "shop" already'],
  [
    "an administrator without RDS",
    "x",
    { strategy: "master-user", username: "postgres" },
    "instanceIdentifier",
  ],
])("refuses %s, naming place and value", (_what, name, props, message) => {
  const made = database();
  made.addRotatedSecret("shop", SHOP);
  expect(() => made.addRotatedSecret(name, props)).toThrow(message);
});

test("refuses a role that was never added, and what comes too late", () => {
  const lost = database();
  lost.addRotatedSecret("x", { ...REPORTS, role: "readwrite" });
  expect(() => (lost.node.root as App).synth()).toThrow(
    'secret "x" of orders has the privileges of "readwrite", which is no role of it; add the role, or pass ownerGroup',
  );
  const late = database();
  (late.node.root as App).synth();
  expect(() => late.addRotatedSecret("x", REPORTS)).toThrow(
    'secret "x" comes too late: Team/Orders was synthesized already',
  );
});

test("a role may come after the secret that has its privileges", () => {
  const made = bench.database();
  made.addRotatedSecret("reports", REPORTS);
  made.addRole("readonly", READONLY);
  expect(planIn(Stack.of(made)).rotatedUsers).toEqual({
    reports: {
      strategy: "single-user",
      usernames: ["reports"],
      group: `mf_${made.tag}_group_readonly`,
    },
  });
});

test("nobody acts as a dynamic role's group, whose leases would own what was made", () => {
  const made = database();
  made.addRotatedSecret("shop", { ...SHOP, ownerGroup: undefined, role: "readonly" });
  const settings = JSON.parse(assetFile(Stack.of(made), "secretshop", "rotation.json"));
  const group = `mf_${made.tag}_group_readonly`;
  expect(settings).toMatchObject({ group, actsAsGroup: false, owner: "app_owner" });
  const other = database();
  other.addRotatedSecret("shop", SHOP);
  const crm = JSON.parse(assetFile(Stack.of(other), "secretshop", "rotation.json"));
  expect(crm).toMatchObject({ group: "shop_owner", actsAsGroup: true });
});

test("a secret is the database's: its host, its port, its first database, its roots", () => {
  const stack = new Stack(bench.app(), "Team");
  const made = database({ port: 6_432, databases: ["shop", "archive"], tls: "plaintext" }, stack);
  made.addRotatedSecret("reports", REPORTS);
  const resources = resourcesOf(stack);
  const [, { Properties }] = only(resources, "AWS::SecretsManager::Secret", "secretreports");
  expect(JSON.stringify(Properties)).toContain(
    String.raw`\"host\":\"db.example.com\",\"port\":6432,\"dbname\":\"shop\"`,
  );
  const settings = JSON.parse(assetFile(stack, "secretreports", "rotation.json"));
  expect(settings).toMatchObject({ database: "orders", secret: "reports", tls: "plaintext" });
  const [group] = only(resources, "AWS::EC2::SecurityGroup");
  const [, rotator] = only(resources, "AWS::Lambda::Function", "secretreports");
  expect(rotator.Properties).toMatchObject({
    FunctionName: expect.stringMatching(/^mayfly-Team-[a-z2-7]{4}-rotate-reports$/),
    VpcConfig: { SecurityGroupIds: [{ "Fn::GetAtt": [group, "GroupId"] }] },
  });
});

test("an existing secret is rotated, and its user is created only with a role or ownerGroup", () => {
  const stack = new Stack(bench.app(), "Team");
  const made = database({}, stack);
  const theirs = (name: string) =>
    Secret.fromSecretCompleteArn(stack, name, `${ARN}${name}-AbCdEf`);
  made.addRotatedSecret("old", {
    strategy: "single-user",
    username: "old",
    secret: theirs("old"),
  });
  made.addRotatedSecret("new", { ...REPORTS, secret: theirs("new") });
  const resources = resourcesOf(stack);
  expect(ofType(resources, "AWS::SecretsManager::Secret")).toHaveLength(3); // Mayfly's own
  expect(planIn(stack).rotatedUsers).toEqual({ new: expect.anything() });
  const [, custom] = only(resources, "Custom::MayflyProvision");
  expect(custom.Properties.RotatedSecrets).toEqual({ new: `${ARN}new-AbCdEf` });
});

test("a database is provisioned again when a user's secret is another", () => {
  const withSecret = (name: string): unknown => {
    const stack = new Stack(bench.app(), "Team");
    const secret = Secret.fromSecretCompleteArn(stack, "Theirs", `${ARN}${name}-AbCdEf`);
    database({}, stack).addRotatedSecret("reports", { ...REPORTS, secret });
    return only(resourcesOf(stack), "Custom::MayflyProvision")[1].Properties;
  };
  expect(withSecret("one")).not.toEqual(withSecret("two"));
});

test("the provisioner decrypts a secret with the secret's own key", () => {
  const stack = new Stack(bench.app(), "Team");
  const encryptionKey = Key.fromKeyArn(
    stack,
    "Key",
    "arn:aws:kms:eu-west-1:111122223333:key/0123abcd",
  );
  database({}, stack).addRotatedSecret("reports", { ...REPORTS, encryptionKey });
  const resources = resourcesOf(stack);
  for (const word of ["ProvisionerRole", "secretreportsRotation"]) {
    const [, { Properties }] = only(resources, "AWS::IAM::Policy", word);
    const text = JSON.stringify(Properties.PolicyDocument);
    expect(text).toContain('"kms:ViaService"');
    expect(text).toContain("key/0123abcd");
  }
});

test("a secret's own instance comes before the database's cluster", () => {
  const stack = new Stack(bench.app(), "Team");
  const adminSecret = Secret.fromSecretCompleteArn(stack, "Admin", `${ARN}admin-AbCdEf`);
  const made = database({ adminSecret, clusterIdentifier: "orders" }, stack);
  made.addRotatedSecret("admin", {
    strategy: "master-user",
    username: "postgres",
    instanceIdentifier: "orders-1",
  });
  const [, { Properties }] = only(resourcesOf(stack), "AWS::Lambda::Function", "secretadmin");
  const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
  expect(Variables).toMatchObject({ DB_INSTANCE: "orders-1" });
  expect(Variables).not.toHaveProperty("DB_CLUSTER");
});

test("a secret's function may ask RDS for the host's source if the database has an identifier", () => {
  const made = database({ clusterIdentifier: "orders" });
  made.addRotatedSecret("shop", SHOP);
  made.addRotatedSecret("reports", REPORTS);
  const resources = resourcesOf(Stack.of(made));
  const policyOf = (word: string): string =>
    JSON.stringify(only(resources, "AWS::IAM::Policy", word)[1].Properties.PolicyDocument);
  for (const word of ["secretshop", "secretreports"])
    expect(policyOf(word)).toContain("rds:DescribeDBClusters");
  expect(policyOf("LoginRotation")).not.toContain("rds:");
});

test("a secret that exists may name a reader of the database", () => {
  const made = database({ readers: [{ host: "replica.example.com" }] });
  made.addRotatedSecret("reports", REPORTS);
  const resources = resourcesOf(Stack.of(made));
  const [, { Properties }] = only(resources, "AWS::Lambda::Function", "secretreports");
  expect(Properties.Environment).toMatchObject({
    Variables: { DB_READERS: "replica.example.com:5432" },
  });
});

test("Mayfly's own logins are rotated every 30 days, or by loginRotation", () => {
  const rulesOf = (props: Parameters<Workbench["database"]>[0]): unknown[] =>
    ofType(resourcesOf(Stack.of(database(props))), "AWS::SecretsManager::RotationSchedule").map(
      ([, { Properties }]) => Properties.RotationRules,
    );
  const both = (rules: object): object[] => [rules, rules];
  expect(rulesOf({})).toEqual(both({ ScheduleExpression: "rate(30 days)" }));
  const schedule = RotationSchedule.cron("0 2 ? * SUN *");
  expect(rulesOf({ loginRotation: { schedule, window: Duration.hours(3) } })).toEqual(
    both({ ScheduleExpression: "cron(0 2 ? * SUN *)", Duration: "3h" }),
  );
  expect(() => database({ loginRotation: { window: Duration.days(2) } })).toThrow(
    'orders.loginRotation.window: "2 days" ',
  );
  const made = database();
  const settings = JSON.parse(assetFile(Stack.of(made), "LoginRotation", "rotation.json"));
  expect(settings).toMatchObject({
    secret: "issuer",
    strategy: "issuer-login",
    usernames: [`mf_${made.tag}_login_a`, `mf_${made.tag}_login_b`],
  });
  const janitor = JSON.parse(assetFile(Stack.of(made), "JanitorRotation", "rotation.json"));
  expect(janitor).toMatchObject({
    secret: "janitor",
    strategy: "single-user",
    usernames: [`mf_${made.tag}_janitor`],
  });
});

test("secrets that do not fit the environment of a function are refused", () => {
  const withSecrets = (count: number) => {
    const made = database();
    for (let i = 0; i < count; i++)
      made.addRotatedSecret(`secret-${i}`, { ...REPORTS, username: `reports_${i}` });
    return () => (made.node.root as App).synth();
  };
  expect(withSecrets(12)).not.toThrow();
  expect(withSecrets(30)).toThrow(
    /^32 rotated secrets of orders do not fit the environment of its functions: about \d{4} bytes, of 4096; make some a RotatedSecret without the DynamicDatabase$/,
  );
});

/** The policy that a stack attaches to an existing role. */
function policyOfRole(resources: ReturnType<typeof resourcesOf>, role: string) {
  const policies = ofType(resources, "AWS::IAM::Policy").map(([, policy]) => policy);
  const found = policies.filter(({ Properties }) => isDeepStrictEqual(Properties.Roles, [role]));
  expect(found).toHaveLength(1);
  return found[0] ?? { Properties: {} };
}

test("a configuration's secrets have their keys, Regions, users and readers", () => {
  const config = {
    databases: {
      orders: {
        ...host,
        roles: { ro: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } },
        secrets: {
          reports: {
            strategy: "single-user",
            username: "reports",
            role: "ro",
            schedule: "12h",
            window: "2h",
            passwordLength: 64,
            excludeCharacters: "%",
            testQueries: ["select 1"],
            kmsKeyArn: "arn:aws:kms:eu-west-1:111122223333:key/0123abcd",
            replicaRegions: ["eu-central-1"],
          },
        },
        loginRotation: { schedule: "7d" },
      },
    },
    consumers: {
      reader: {
        roleArn: "arn:aws:iam::111122223333:role/reader",
        secrets: ["orders/reports"],
      },
    },
  } as const satisfies MayflyConfig;
  const stack = bench.stack(config);
  const resources = resourcesOf(stack);
  const [, secret] = only(resources, "AWS::SecretsManager::Secret", "secretreports");
  expect(secret.Properties).toMatchObject({
    KmsKeyId: "arn:aws:kms:eu-west-1:111122223333:key/0123abcd",
    ReplicaRegions: [{ Region: "eu-central-1" }],
    GenerateSecretString: { PasswordLength: 64, ExcludeCharacters: " %" },
  });
  const rules = ofType(resources, "AWS::SecretsManager::RotationSchedule").map(
    ([, { Properties }]) => Properties.RotationRules,
  );
  expect(rules).toEqual([
    { ScheduleExpression: "rate(7 days)" },
    { ScheduleExpression: "rate(7 days)" },
    { ScheduleExpression: "rate(12 hours)", Duration: "2h" },
  ]);
  const settings = JSON.parse(assetFile(stack, "secretreports", "rotation.json"));
  expect(settings).toMatchObject({
    usernames: ["reports"],
    password: { length: 64, excludeCharacters: " %" },
    testQueries: ["select 1"],
  });
  const policy = policyOfRole(resources, "reader");
  expect(JSON.stringify(policy.Properties)).toContain("secretsmanager:GetSecretValue");
});

test("a configuration's secret that exists is rotated where it is, and read by its readers", () => {
  const secretArn = `${ARN}reports-AbCdEf`;
  const alone = { strategy: "single-user", username: "reports", secretArn } as const;
  const inUse = {
    ...alone,
    username: "shop",
    secretArn: `${ARN}shop-AbCdEf`,
    schedule: "cron(0 3 ? * SUN *)",
    rotateImmediately: false,
  } as const;
  const roles = { ro: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } };
  const stack = bench.stack({
    databases: { orders: { ...host, roles, secrets: { reports: alone, shop: inUse } } },
    consumers: {
      reader: {
        roleArn: "arn:aws:iam::111122223333:role/reader",
        secrets: ["orders/reports"],
      },
    },
  });
  const resources = resourcesOf(stack);
  expect(ofType(resources, "AWS::SecretsManager::Secret")).toHaveLength(3); // Mayfly's own
  const [, schedule] = only(resources, "AWS::SecretsManager::RotationSchedule", "secretreports");
  expect(schedule.Properties).toMatchObject({
    SecretId: secretArn,
    RotateImmediatelyOnUpdate: true,
  });
  const [, later] = only(resources, "AWS::SecretsManager::RotationSchedule", "secretshop");
  expect(later.Properties).toMatchObject({
    SecretId: inUse.secretArn,
    RotateImmediatelyOnUpdate: false,
  });
  expect(planIn(stack).rotatedUsers).toBeUndefined();
  const policy = policyOfRole(resources, "reader");
  expect(JSON.stringify(policy.Properties)).toContain(secretArn);
  expect(Template.fromStack(stack).findOutputs("OrdersReportsSecretArn")).toEqual({
    OrdersReportsSecretArn: { Value: secretArn },
  });
});
