import { rootCertificates } from "node:tls";
import { Duration, NestedStack, Stack } from "aws-cdk-lib";
import { Annotations } from "aws-cdk-lib/assertions";
import { SecurityGroup, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { AccountRootPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { afterAll, expect, test } from "vitest";
import type { DynamicDatabaseProps, DynamicRoleProps } from "../../lib/index.ts";
import { Resolved, STACK_UUID } from "./resolved.ts";
import { assetFile, ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

test.each<[string, Partial<DynamicDatabaseProps>, string]>([
  ["a name", { database: "Orders" }, '"Orders" is not a database name; write 1 to 32 of a-z'],
  ["an owner", { owner: "" }, 'orders.owner: "" '],
  ["a tag", { tag: "AB12" }, 'orders.tag: "AB12" '],
  ["shards", { shards: 0 }, "orders.shards: 0 "],
  ["no database", { databases: [] }, "orders.databases: [] "],
  ["a certificate", { ca: "ca.pem" }, 'orders.ca: "ca.pem" '],
  [
    "no bundles",
    { assets: "/nowhere" },
    '/nowhere/issuer/index.mjs does not exist; run "npm run build" first',
  ],
])("refuses %s in its constructor, naming place and value", (_what, props, message) => {
  expect(() => bench.database(props)).toThrow(message);
});

test.each<[string, string, Partial<DynamicRoleProps>, string]>([
  ["a name", "read_only", {}, '"read_only" '],
  ["a ttl", "ro", { ttl: Duration.days(2) }, 'ro.ttl: "2 days" is longer than maxTtl ("1 day")'],
  ["no privilege", "ro", { select: [] }, "ro.select: [] "],
])("refuses %s in addRole, naming place and value", (_what, name, props, message) => {
  expect(() => bench.database().addRole(name, { ...READONLY, ...props })).toThrow(message);
});

test("refuses a second role of one name", () => {
  const database = bench.database();
  database.addRole("readonly", READONLY);
  expect(() => database.addRole("readonly", READONLY)).toThrow(
    'orders has a role "readonly" already',
  );
});

test("refuses a Region whose roots are not shipped, unless roots are given", () => {
  // of the Regions that lack roots, some lack policies of aliases too
  const build = (props: Partial<DynamicDatabaseProps>, region: string) =>
    bench.database(
      { aliasUnsealed: true, ...props },
      bench.stackIn({ account: "111122223333", region }),
    );
  expect(() => build({}, "us-gov-west-1")).toThrow(
    'no RDS roots for Region "us-gov-west-1" come with Mayfly; pass ca, the PEM text of the roots to trust',
  );
  expect(() => build({ ca: rootCertificates[0] }, "us-gov-west-1")).not.toThrow();
  expect(() => build({}, "eu-west-1")).not.toThrow();
});

test("gives the configured roots to the functions and to the provisioner", () => {
  const ca = rootCertificates[0] ?? "";
  const database = bench.database({ ca });
  database.addRole("readonly", READONLY);
  const stack = Stack.of(database);
  expect(JSON.parse(assetFile(stack, "Issuer", "deployment.json"))).toMatchObject({ ca });
  const [, { Properties }] = only(resourcesOf(stack), "Custom::MayflyProvision");
  expect(JSON.parse(String(Properties.Plan))).toMatchObject({ ca });
});

test("warns of plaintext", () => {
  const database = bench.database({ tls: "plaintext" });
  const warnings = Annotations.fromStack(Stack.of(database)).findWarning(
    "*",
    'connections to orders have no TLS: the network can read data and the proofs of passwords; set up TLS and write tls: "verify-full" [ack: mayfly:plaintext]',
  );
  expect(warnings).toHaveLength(1);
});

test("opens the database's port to the functions alone", () => {
  const stack = new Stack(bench.app(), "Team");
  const group = SecurityGroup.fromSecurityGroupId(stack, "Db", "sg-0123456789abcdef0");
  bench.database({ databaseConnections: group, port: 6_432 }, stack);
  const resources = resourcesOf(stack);
  const [, ingress] = only(resources, "AWS::EC2::SecurityGroupIngress");
  const [id, { Properties }] = only(resources, "AWS::EC2::SecurityGroup");
  expect(ingress.Properties).toMatchObject({
    FromPort: 6_432,
    ToPort: 6_432,
    GroupId: "sg-0123456789abcdef0",
    SourceSecurityGroupId: { "Fn::GetAtt": [id, "GroupId"] },
  });
  expect(Properties.SecurityGroupEgress).toEqual([
    { CidrIp: "0.0.0.0/0", Description: "AWS APIs", FromPort: 443, IpProtocol: "tcp", ToPort: 443 },
  ]);
  const [, egress] = only(resources, "AWS::EC2::SecurityGroupEgress");
  expect(egress.Properties).toMatchObject({
    FromPort: 6_432,
    DestinationSecurityGroupId: "sg-0123456789abcdef0",
  });
});

test("serves a database of another stack without a reference back", () => {
  const app = bench.app();
  const owner = new Stack(app, "Owner");
  const vpc = new Vpc(owner, "Vpc", { natGateways: 0, restrictDefaultSecurityGroup: false });
  const databaseConnections = new SecurityGroup(owner, "Db", { vpc });
  const adminSecret = new Secret(owner, "Admin");
  const stack = new Stack(app, "Team");
  const vpcSubnets = { subnetType: SubnetType.PRIVATE_ISOLATED };
  bench.database({ vpc, vpcSubnets, databaseConnections, adminSecret }, stack);
  expect(ofType(resourcesOf(owner), "AWS::EC2::SecurityGroupIngress")).toEqual([]);
  expect(ofType(resourcesOf(stack), "AWS::EC2::SecurityGroupIngress")).toHaveLength(1);
});

test("decrypts a secret with a key of its own", () => {
  const stack = new Stack(bench.app(), "Team");
  const adminSecret = new Secret(stack, "Admin", { encryptionKey: new Key(stack, "Key") });
  bench.database({ adminSecret }, stack);
  const [, { Properties }] = only(resourcesOf(stack), "AWS::IAM::Policy", "Provisioner");
  expect(JSON.stringify(Properties.PolicyDocument)).toContain("kms:Decrypt");
});

test("lets an operator invoke the operator function and nothing else", () => {
  const database = bench.database();
  const stack = Stack.of(database);
  const operator = new Role(stack, "Human", { assumedBy: new AccountRootPrincipal() });
  database.grantOperate(operator);
  const [, { Properties }] = only(resourcesOf(stack), "AWS::IAM::Policy", "Human");
  const [functionId] = only(resourcesOf(stack), "AWS::Lambda::Function", "Operator");
  expect(Properties.PolicyDocument).toMatchObject({
    Statement: [
      {
        Action: "lambda:InvokeFunction",
        Effect: "Allow",
        Resource: { "Fn::GetAtt": [functionId, "Arn"] },
      },
    ],
  });
});

test("names stay within 64 characters in a stack with a long name, and in a nested stack", () => {
  const long = new Stack(bench.app(), "Long", { stackName: "s".repeat(128) });
  bench.database({}, long);
  const nested = new NestedStack(new Stack(bench.app(), "Outer"), "Inner");
  bench.database({}, nested);
  for (const stack of [long, nested]) {
    const resources = resourcesOf(stack);
    for (const [, { Properties }] of ofType(resources, "AWS::Lambda::Function")) {
      const name = Properties.FunctionName ?? "mayfly-framework";
      expect(name).toMatch(/^mayfly-[a-z0-9-]{1,57}$/);
    }
    const [, { Properties }] = only(resources, "AWS::Scheduler::ScheduleGroup");
    const group = new Resolved(resources).value(Properties.Name);
    expect(group).toMatch(new RegExp(`^mayfly-[a-z0-9-]{5,21}${STACK_UUID}$`));
  }
});
