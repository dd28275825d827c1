import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { afterAll, expect, test } from "vitest";
import { SANDBOX, sandboxConfig } from "../../bin/verify/sandbox-app.ts";
import { type MayflyConfig, parseConfig, pascal } from "../../config/config.ts";
import { MayflyStack } from "../../lib/index.ts";
import shipped from "../../mayfly.config.ts";
import { ofType, only, resourcesOf, shippedStack, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const stack = shippedStack();
const resources = resourcesOf(stack);

const elsewhere: MayflyConfig = {
  databases: {
    orders: {
      host: "db.example.com",
      adminSecret: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/admin-AbCdEf",
      databases: ["orders"],
      owner: "app_owner",
      roles: { readonly: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } },
      vpc: {
        vpcId: "vpc-0123456789abcdef0",
        availabilityZones: ["eu-west-1a"],
        privateSubnetIds: ["subnet-0123456789abcdef0"],
        securityGroupId: "sg-0123456789abcdef0",
      },
    },
  },
  consumers: {
    reporting: { roleArn: "arn:aws:iam::111122223333:role/reporting", roles: ["orders/readonly"] },
    worker: { newRole: { assumedBy: "ecs-tasks.amazonaws.com" }, roles: ["orders/readonly"] },
  },
};

test("the outputs are what callers and operators need to know", () => {
  const outputs = Template.fromStack(stack).findOutputs("*");
  const [issuer] = only(resources, "AWS::Lambda::Function", "FunctionsIssuer");
  const [operator] = only(resources, "AWS::Lambda::Function", "Operator");
  expect(outputs).toEqual({
    OrdersIssuerArn: { Value: { "Fn::GetAtt": [issuer, "Arn"] } },
    OrdersIssuerSecretArn: {
      Value: { Ref: only(resources, "AWS::SecretsManager::Secret", "SecretsIssuer")[0] },
    },
    OrdersOperatorArn: { Value: { "Fn::GetAtt": [operator, "Arn"] } },
    OrdersReportsSecretArn: {
      Value: { Ref: only(resources, "AWS::SecretsManager::Secret", "secretreports")[0] },
    },
    OrdersShopSecretArn: {
      Value: { Ref: only(resources, "AWS::SecretsManager::Secret", "secretshop")[0] },
    },
    OrdersAdminSecretArn: {
      Value: { Ref: only(resources, "AWS::SecretsManager::SecretTargetAttachment")[0] },
    },
    OrdersRevokerLogGroup: { Value: { Ref: only(resources, "AWS::Logs::LogGroup", "Revoker")[0] } },
    UserServiceFunctionName: {
      Value: { Ref: only(resources, "AWS::Lambda::Function", "consumeruserservice")[0] },
    },
    UserServiceRoleArn: {
      Value: { "Fn::GetAtt": [only(resources, "AWS::IAM::Role", "userservice")[0], "Arn"] },
    },
    ReportingRoleArn: {
      Value: { "Fn::GetAtt": [only(resources, "AWS::IAM::Role", "reporting")[0], "Arn"] },
    },
  });
});

test("the sandbox's database is encrypted, private, and speaks TLS only", () => {
  const [, { Properties, DeletionPolicy }] = only(resources, "AWS::RDS::DBInstance");
  expect(Properties).toMatchObject({
    Engine: "postgres",
    EngineVersion: expect.stringMatching(/^18\./),
    DBInstanceClass: "db.t4g.micro",
    DBName: "orders",
    StorageEncrypted: true,
    StorageType: "gp3",
    AllocatedStorage: "20",
    PubliclyAccessible: false,
    CACertificateIdentifier: "rds-ca-rsa2048-g1",
    MasterUserPassword: { "Fn::Join": expect.anything() },
  });
  expect(DeletionPolicy).toBe("Delete");
  const [parametersId, parameters] = only(resources, "AWS::RDS::DBParameterGroup");
  expect(Properties.DBParameterGroupName).toEqual({ Ref: parametersId });
  expect(parameters.Properties.Parameters).toEqual({ "rds.force_ssl": "1" });
});

test("the sandbox's VPC has no way out but four endpoints, in one zone each", () => {
  for (const type of ["InternetGateway", "NatGateway", "Route"])
    expect(ofType(resources, `AWS::EC2::${type}`)).toEqual([]);
  const endpoints = ofType(resources, "AWS::EC2::VPCEndpoint");
  const services = endpoints.map(([, { Properties }]) => JSON.stringify(Properties.ServiceName));
  expect(services).toEqual([
    expect.stringContaining(".secretsmanager"),
    expect.stringContaining(".scheduler"),
    expect.stringContaining(".rds"),
    expect.stringContaining(".lambda"),
  ]);
  for (const [, { Properties }] of endpoints) {
    expect(Properties.PrivateDnsEnabled).toBe(true);
    expect(Properties.SubnetIds).toHaveLength(1);
  }
});

test("the sandbox has the endpoints of Lambda and RDS only for those who need them", () => {
  const { orders } = shipped.databases;
  const { reporting } = shipped.consumers;
  if (orders === undefined || reporting === undefined) throw new Error("nothing is shipped");
  const { admin: _administrator, ...secrets } = orders.secrets ?? {};
  const endpointsOf = (config: MayflyConfig): string[] =>
    ofType(resourcesOf(bench.stack(config)), "AWS::EC2::VPCEndpoint").map(([id]) => id);
  const withoutConsumer = endpointsOf({ ...shipped, consumers: { reporting } });
  expect(withoutConsumer).toHaveLength(3);
  expect(withoutConsumer.join()).not.toContain("VpcLambda");
  const kept = endpointsOf({ ...shipped, databases: { orders: { ...orders, secrets } } });
  expect(kept).toHaveLength(3);
  expect(kept.join()).not.toContain("VpcRds");
});

test("a consumer in the sandbox runs beside the database, and asks through its first grant", () => {
  const [, made] = only(resources, "AWS::Lambda::Function", "consumeruserservice");
  const [groupId] = only(resources, "AWS::EC2::SecurityGroup", "consumeruserservice");
  expect(made.Properties).toMatchObject({
    VpcConfig: { SecurityGroupIds: [{ "Fn::GetAtt": [groupId, "GroupId"] }] },
  });
  const environment = JSON.stringify(made.Properties.Environment);
  expect(environment).toMatch(/:function:mayfly-Mayfly-....-issuer:user-service--readonly"/);
  const [, ingress] = only(resources, "AWS::EC2::SecurityGroupIngress", "consumeruserservice");
  expect(ingress.Properties).toMatchObject({
    Description: "user-service to PostgreSQL",
    SourceSecurityGroupId: { "Fn::GetAtt": [groupId, "GroupId"] },
  });
  const grant = (type: string): string => only(resources, type, "readonlyuserservice")[0];
  expect(made.DependsOn).toEqual(
    expect.arrayContaining([
      only(resources, "AWS::IAM::Policy", "consumeruserserviceFunctionRoleInvoke")[0],
      grant("AWS::Lambda::ResourcePolicy"),
      only(resources, "AWS::EC2::VPCEndpoint", "Lambda")[0],
    ]),
  );
});

test("the sandbox consumer's role trusts Lambda and the account, and only this role has the grants", () => {
  const [id, role] = only(resources, "AWS::IAM::Role", "consumeruserservice");
  expect(role.Properties.AssumeRolePolicyDocument).toMatchObject({
    Statement: [
      { Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } },
      { Action: "sts:AssumeRole", Principal: { AWS: expect.anything() } },
    ],
  });
  const [, own] = only(resources, "AWS::Lambda::ResourcePolicy", "readonlyuserservice");
  expect(own.Properties.PolicyDocument).toMatchObject({
    Statement: [
      {
        Effect: "Deny",
        Principal: "*",
        Condition: { StringNotEquals: { "aws:PrincipalArn": { "Fn::GetAtt": [id, "Arn"] } } },
      },
    ],
  });
});

test("the sandbox is seeded before it is provisioned, when everything it needs is there", () => {
  const [seedId, seed] = only(resources, "Custom::MayflySandboxSeed");
  expect(seed.Properties).toMatchObject({ Database: "orders", Owner: "app_owner" });
  const [, provision] = only(resources, "Custom::MayflyProvision");
  expect(provision.DependsOn).toContain(seedId);
  const needed = [
    "AWS::RDS::DBInstance",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::VPCEndpoint",
  ]
    .flatMap((type) => ofType(resources, type).map(([id]) => id))
    .filter((id) => !id.startsWith("consumer") && !/Vpc(?:Lambda|Rds)/.test(id));
  expect(provision.DependsOn).toEqual(
    expect.arrayContaining(needed.filter((id) => !id.includes("Seeder"))),
  );
  const forSeeding = needed.filter((id) => !id.startsWith("ordersSecurityGroup"));
  expect(seed.DependsOn).toEqual(expect.arrayContaining(forSeeding));
});

test("CDK's functions run outside the VPC, where they can answer CloudFormation", () => {
  const framework = ofType(resources, "AWS::Lambda::Function").filter(([id]) =>
    id.includes("Framework"),
  );
  expect(framework).toHaveLength(2);
  for (const [, { Properties }] of framework) expect(Properties).not.toHaveProperty("VpcConfig");
});

test("the stack asks AWS nothing when it is synthesized", () => {
  expect(Stack.of(stack).account).toContain("AWS.AccountId");
  expect(ofType(resources, "Custom::VpcRestrictDefaultSG")).toEqual([]);
});

test("a database that exists is reached where the configuration says it is", () => {
  const found = resourcesOf(bench.stack(elsewhere));
  for (const type of ["AWS::EC2::VPC", "AWS::RDS::DBInstance", "Custom::MayflySandboxSeed"])
    expect(ofType(found, type)).toEqual([]);
  const [, issuer] = only(found, "AWS::Lambda::Function", "Issuer");
  expect(issuer.Properties).toMatchObject({
    Environment: {
      Variables: { DB_HOST: "db.example.com", DB_PORT: "5432", SERVER_ID: "db.example.com:5432" },
    },
    VpcConfig: { SubnetIds: ["subnet-0123456789abcdef0"] },
  });
  const [, ingress] = only(found, "AWS::EC2::SecurityGroupIngress");
  expect(ingress.Properties).toMatchObject({ GroupId: "sg-0123456789abcdef0", FromPort: 5_432 });
  const [, provisioner] = only(found, "AWS::Lambda::Function", "ProvisioningProvisioner");
  expect(provisioner.Properties).toHaveProperty(
    "Environment.Variables.ADMIN_SECRET_ARN",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/admin-AbCdEf",
  );
});

test("a database is provisioned again when it moves, or is another server by its id", () => {
  const serverOf = (change: object): unknown => {
    const { orders } = elsewhere.databases;
    const found = resourcesOf(
      bench.stack({
        ...elsewhere,
        databases: { orders: { ...orders, ...change } },
      } as MayflyConfig),
    );
    const [, { Properties }] = only(found, "Custom::MayflyProvision");
    return Properties.Server;
  };
  const SERVER_ID = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const there = { DB_HOST: "db.example.com", DB_PORT: "5432" };
  expect(serverOf({})).toEqual({ ...there, SERVER_ID: "db.example.com:5432" });
  expect(serverOf({ serverId: SERVER_ID })).toEqual({ ...there, SERVER_ID });
  expect(serverOf({ port: 6432 })).toEqual({
    ...there,
    DB_PORT: "6432",
    SERVER_ID: "db.example.com:6432",
  });
});

test("a secret imported by name is read by name, and its policy allows any random end", () => {
  const { orders } = elsewhere.databases;
  if (orders?.host === undefined) throw new Error("this configuration has a server orders");
  const shop = {
    strategy: "alternating-users",
    usernames: ["shop_a", "shop_b"],
    ownerGroup: "shop",
  } as const;
  // a partial ARN of that name would be taken for the secret db1/master
  const named = { ...orders, adminSecret: "db1/master-secret", secrets: { shop } };
  const found = resourcesOf(bench.stack({ ...elsewhere, databases: { orders: named } }));
  for (const role of ["ProvisionerRole", "secretshopRotationRotatorRole"]) {
    const [, { Properties }] = only(found, "AWS::IAM::Policy", role);
    const document = JSON.stringify(Properties.PolicyDocument);
    expect(document).toContain(":secret:db1/master-secret-??????");
    expect(document).not.toContain("secret:*");
  }
  const variables = ofType(found, "AWS::Lambda::Function").map(
    ([, { Properties }]) => JSON.parse(JSON.stringify(Properties)).Environment?.Variables ?? {},
  );
  const ids = ["ADMIN_SECRET_ARN", "MASTER_SECRET_ARN"].map((name) =>
    variables.flatMap((each) => each[name] ?? []),
  );
  expect(ids).toEqual([["db1/master-secret"], ["db1/master-secret"]]);
  const [, made] = only(found, "AWS::SecretsManager::Secret", "secretshop");
  expect(JSON.stringify(made.Properties)).not.toContain("masterarn");
});

test("a configuration may leave the aliases' policies out, and its plan says so", () => {
  const sealed = resourcesOf(bench.stack(elsewhere));
  expect(ofType(sealed, "AWS::Lambda::ResourcePolicy")).toHaveLength(4);
  const stack = bench.stack({ ...elsewhere, aliasUnsealed: true });
  expect(ofType(resourcesOf(stack), "AWS::Lambda::ResourcePolicy")).toEqual([]);
  const [, provision] = only(resourcesOf(stack), "Custom::MayflyProvision");
  expect(JSON.parse(String(provision.Properties.Plan))).toMatchObject({ aliasUnsealed: true });
});

test("a new role for EKS Pod Identity lets the service tag its sessions", () => {
  const worker = { newRole: { assumedBy: "pods.eks.amazonaws.com" }, roles: ["orders/readonly"] };
  const found = resourcesOf(bench.stack({ ...elsewhere, consumers: { worker } }));
  const [, { Properties }] = only(found, "AWS::IAM::Role", "consumerworker");
  const Principal = { Service: "pods.eks.amazonaws.com" };
  expect(Properties.AssumeRolePolicyDocument).toMatchObject({
    Statement: [{ Action: ["sts:AssumeRole", "sts:TagSession"], Principal }],
  });
});

test("consumers are roles that exist, or roles that a service assumes", () => {
  const found = resourcesOf(bench.stack(elsewhere));
  const policies = ofType(found, "AWS::IAM::Policy").filter(([id]) => id.includes("InvokeMayfly"));
  expect(policies.map(([, { Properties }]) => Properties.Roles)).toEqual([
    ["reporting"],
    [{ Ref: only(found, "AWS::IAM::Role", "consumerworker")[0] }],
  ]);
  const [, worker] = only(found, "AWS::IAM::Role", "consumerworker");
  expect(worker.Properties.AssumeRolePolicyDocument).toMatchObject({
    Statement: [{ Principal: { Service: "ecs-tasks.amazonaws.com" } }],
  });
});

const roleNamesOf = (stack: MayflyStack): readonly string[] =>
  ofType(resourcesOf(stack), "AWS::IAM::Role").flatMap(([, { Properties }]) =>
    Properties.RoleName === undefined ? [] : textOf(Properties.RoleName),
  );

/** What CloudFormation makes of it, in the Region with the longest name. */
const textOf = (name: unknown): string =>
  ((name as { "Fn::Join": [string, unknown[]] })["Fn::Join"][1] ?? [])
    .map((part) => (typeof part === "string" ? part : "ap-southeast-1xx"))
    .join("");

test("a consumer that leaves the sandbox has a role of another name, since both exist for a while", () => {
  const named = (app: MayflyConfig["consumers"][string]) =>
    roleNamesOf(bench.stack({ ...shipped, consumers: { app } }));
  const roles = ["orders/readonly"];
  const [before] = named({ sandbox: true, roles });
  const [after] = named({ newRole: { assumedBy: "account" }, roles });
  expect(before).toContain("mayfly-sandbox_Mayfly_app-");
  expect(after).toContain("mayfly-Mayfly_app-");
});

test("stacks whose long names begin alike have roles and functions of different names", () => {
  const namesOf = (stackName: string): readonly string[] => {
    const stack = new MayflyStack(bench.app(), "Mayfly", {
      config: parseConfig(shipped),
      assets: bench.assets,
      stackName,
      env: { account: "111122223333", region: "eu-west-1" },
    });
    const functions = ofType(resourcesOf(stack), "AWS::Lambda::Function");
    return [
      ...roleNamesOf(stack),
      ...functions.flatMap(([, { Properties }]) =>
        typeof Properties.FunctionName === "string" ? Properties.FunctionName : [],
      ),
    ].map((name) => name.replace(/-[a-z2-7]{4}-/, "-tag-"));
  };
  const long = "TheShopOfTheOldTownByTheRiverInTheNorthOfTheCountry";
  const names = [namesOf(`${long}-eu`), namesOf(`${long}-us`)].flat();
  expect(names.length).toBeGreaterThan(10);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[\w-]{1,64}$/);
});

test("the role of two consumers is imported once, and its policies share IAM's limit", () => {
  const roleArn = "arn:aws:iam::111122223333:role/team/reporting";
  const both = { roleArn, roles: ["orders/readonly"] };
  const found = (...names: string[]) =>
    ofType(
      resourcesOf(
        bench.stack({
          ...elsewhere,
          consumers: Object.fromEntries(names.map((name) => [name, both])),
        }),
      ),
      "AWS::IAM::Policy",
    ).filter(([id]) => id.includes("InvokeMayfly"));
  const [policy, ...others] = found("a", "b");
  expect(others).toEqual([]);
  expect(JSON.stringify(policy?.[1].Properties)).toMatch(/a--readonly.*b--readonly/);
  expect(policy?.[1].Properties.Roles).toEqual(["reporting"]);
  const name = JSON.stringify(policy?.[1].Properties.PolicyName);
  const other = new MayflyStack(bench.app(), "Mayfly", {
    config: parseConfig({ ...elsewhere, consumers: { a: both } }),
    assets: bench.assets,
    stackName: "Mayfly-test",
  });
  const [, { Properties }] = only(resourcesOf(other), "AWS::IAM::Policy", "InvokeMayfly");
  expect(JSON.stringify(Properties.PolicyName)).not.toBe(name);
  // whoever comes or goes, it stays the same resource
  expect(found("b", "c").map(([id]) => id)).toEqual([policy?.[0]]);
});

test("a database's name may equal the construct id of another's VPC or secret", () => {
  const { orders } = elsewhere.databases;
  if (orders === undefined) throw new Error("this configuration has a database orders");
  const names = [
    "orders-vpc",
    "orders-admin-secret",
    "orders-security-group",
    "orders-alarm-topic",
  ];
  const topicArn = "arn:aws:sns:eu-west-1:111122223333:on-call";
  const stack = bench.stack({
    databases: Object.fromEntries(
      ["orders", ...names].map((name) => [name, { ...orders, ownStack: false }]),
    ),
    consumers: {},
    alarms: { topicArn },
  });
  expect(stack.databaseStacks.size).toBe(0);
});

test("another stack of an own stack's name is refused: it would be deployed over it", () => {
  const { orders } = elsewhere.databases;
  if (orders === undefined) throw new Error("this configuration has a database orders");
  const stack = bench.stack({
    ...elsewhere,
    databases: { orders, eu: { ...orders, ownStack: true } },
  });
  new Stack(stack.node.root, "Other", { stackName: "Mayfly-eu" });
  expect(() => Template.fromStack(stack)).toThrow(
    /the stack of the database eu is called Mayfly-eu, and so is Other: /,
  );
});

test("the sandbox that mayfly verify deploys has what its checks look for", () => {
  const made = bench.stack(sandboxConfig("first") as MayflyConfig);
  expect(Object.keys(Template.fromStack(made).findOutputs("*"))).toEqual(
    expect.arrayContaining([
      "OrdersIssuerArn",
      "OrdersOperatorArn",
      "VerifyRoleArn",
      "VerifyFunctionName",
      `Orders${pascal(SANDBOX.userSecret)}SecretArn`,
      `Orders${pascal(SANDBOX.masterSecret)}SecretArn`,
    ]),
  );
  const ttlOf = (version: "first" | "changed") =>
    parseConfig(sandboxConfig(version)).databases.orders?.roles.readonly?.ttlSeconds;
  expect([ttlOf("first"), ttlOf("changed")]).toEqual([3_600, 1_800]);
});
