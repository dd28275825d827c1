import { Stack } from "aws-cdk-lib";
import { type ISecurityGroup, Peer, SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { ContainerImage, FargateTaskDefinition } from "aws-cdk-lib/aws-ecs";
import { Code, Function as LambdaFunction, Runtime } from "aws-cdk-lib/aws-lambda";
import { afterAll, describe, expect, test } from "vitest";
import type { DynamicDatabase } from "../../lib/index.ts";
import { ofType, only, READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const HERE = { account: "111122223333", region: "eu-west-1" };
const VARIABLE = "MAYFLY_LEASE_ORDERS_READONLY";

interface Scene {
  readonly stack: Stack;
  readonly database: DynamicDatabase;
}

function scene(): Scene {
  const stack = bench.stackIn(HERE);
  return { stack, database: bench.database({ tag: "ab27" }, stack) };
}

const functionIn = (stack: Stack, environment: Readonly<Record<string, string>> = {}, id = "Fn") =>
  new LambdaFunction(stack, id, {
    runtime: Runtime.NODEJS_24_X,
    handler: "index.handler",
    code: Code.fromInline("export const handler = 1"),
    environment,
  });

const containerIn = (stack: Stack, environment: Readonly<Record<string, string>> = {}) =>
  new FargateTaskDefinition(stack, "Task").addContainer("app", {
    image: ContainerImage.fromRegistry("app"),
    environment,
  });

const ALIAS = {
  "Fn::Join": [
    "",
    [
      "arn:",
      { Ref: "AWS::Partition" },
      ":lambda:eu-west-1:111122223333:function:mayfly-Team-ab27-issuer:app--readonly",
    ],
  ],
};

/** Whom the alias does not refuse. */
function allowedRole(stack: Stack): string {
  const [, { Properties }] = only(
    resourcesOf(stack),
    "AWS::Lambda::ResourcePolicy",
    "rolereadonly",
  );
  const text = JSON.stringify(Properties.PolicyDocument);
  return /"aws:PrincipalArn":\{"Fn::GetAtt":\["(\w+)"/.exec(text)?.[1] ?? "";
}

test("a function gets its grant, and the variable by which clients find it", () => {
  const { stack, database } = scene();
  const fn = functionIn(stack, { LOG_LEVEL: "debug" });
  const grant = database.addRole("readonly", READONLY).addConsumer("app", fn);
  expect(grant.variable).toBe(VARIABLE);
  const [, { Properties }] = only(resourcesOf(stack), "AWS::Lambda::Function", "Fn");
  expect(Properties.Environment).toEqual({ Variables: { LOG_LEVEL: "debug", [VARIABLE]: ALIAS } });
  expect(Properties.Role).toEqual({ "Fn::GetAtt": [allowedRole(stack), "Arn"] });
});

test("a container gets the same, and its task role may ask", () => {
  const { stack, database } = scene();
  database.addRole("readonly", READONLY).addConsumer("app", containerIn(stack));
  const [, { Properties }] = only(resourcesOf(stack), "AWS::ECS::TaskDefinition");
  const [container] = Properties.ContainerDefinitions as readonly { Environment: unknown }[];
  expect(container?.Environment).toEqual([{ Name: VARIABLE, Value: ALIAS }]);
  expect(Properties.TaskRoleArn).toEqual({ "Fn::GetAtt": [allowedRole(stack), "Arn"] });
});

test("a function of another stack needs no reference to the database's", () => {
  const { stack, database } = scene();
  const service = new Stack(stack.node.root as never, "Service", { env: HERE });
  database.addRole("readonly", READONLY).addConsumer("app", functionIn(service));
  expect(service.dependencies).toEqual([]);
  const [, { Properties }] = only(resourcesOf(service), "AWS::Lambda::Function", "Fn");
  expect(Properties.Environment).toEqual({ Variables: { [VARIABLE]: ALIAS } });
});

test("two roles of one function are two variables", () => {
  const { stack, database } = scene();
  const fn = functionIn(stack);
  for (const name of ["readonly", "read-write"])
    database.addRole(name, READONLY).addConsumer("app", fn);
  const [, { Properties }] = only(resourcesOf(stack), "AWS::Lambda::Function", "Fn");
  const { Variables } = Properties.Environment as { readonly Variables: object };
  expect(Object.keys(Variables)).toEqual([VARIABLE, "MAYFLY_LEASE_ORDERS_READ_WRITE"]);
});

describe("a variable that has two values is refused", () => {
  const collision = (path: string): string =>
    `Team/${path} has two values for ${VARIABLE}, one of them from addConsumer; take the other one out of its environment, or give one of the roles another name`;

  test.each([
    ["Fn", functionIn],
    ["Task/app", containerIn],
  ] as const)("of %s, set before or after", (path, make) => {
    const before = scene();
    const workload = make(before.stack, { [VARIABLE]: "mine" });
    const role = before.database.addRole("readonly", READONLY);
    expect(() => role.addConsumer("app", workload)).toThrow(collision(path));

    const after = scene();
    const other = make(after.stack);
    after.database.addRole("readonly", READONLY).addConsumer("app", other);
    expect(other.node.validate()).toEqual([]);
    other.addEnvironment(VARIABLE, "mine");
    expect(() => resourcesOf(after.stack)).toThrow(collision(path));
  });

  test("of two roles whose variables have the same name", () => {
    const { stack, database } = scene();
    const other = bench.database({ database: "orders-read", tag: "cd45" }, stack, "Reads");
    const fn = functionIn(stack);
    database.addRole("read-only", READONLY).addConsumer("app", fn);
    const role = other.addRole("only", READONLY);
    expect(() => role.addConsumer("app", fn)).toThrow("MAYFLY_LEASE_ORDERS_READ_ONLY");
  });
});

test("a function whose environment or role is not known here is refused in words", () => {
  const { stack, database } = scene();
  const role = database.addRole("readonly", READONLY);
  const fn = functionIn(stack);
  expect(() => role.addConsumer("app", fn.currentVersion)).toThrow(
    "Team/Fn/CurrentVersion is imported, a version or an alias: its environment cannot be set here; pass the function itself, or its role",
  );
  const imported = LambdaFunction.fromFunctionName(stack, "Imported", "orders");
  expect(() => role.addConsumer("other", imported)).toThrow(
    "Team/Imported was imported without its role, which asks for leases; pass the role to addConsumer",
  );
});

describe("connectFrom", () => {
  const RDS = "sg-0123456789abcdef0";
  const REPLICA = "sg-0123456789abcdef1";
  const groupIn = (stack: Stack, id: string): ISecurityGroup =>
    SecurityGroup.fromSecurityGroupId(stack, id, id);

  function networked() {
    const stack = bench.stackIn(HERE);
    const vpc = new Vpc(stack, "Vpc");
    const database = bench.database(
      {
        vpc,
        databaseConnections: groupIn(stack, RDS),
        port: 5_433,
        readers: [{ host: "replica.example.com", port: 5_434 }],
        readerConnections: [groupIn(stack, REPLICA)],
      },
      stack,
    );
    return { stack, vpc, database };
  }

  /** What a group lets in from another source than Mayfly's functions: port and source. */
  const ingress = (stack: Stack) =>
    ofType(resourcesOf(stack), "AWS::EC2::SecurityGroupIngress")
      .map(([, { Properties }]) => Properties)
      .filter(({ Description }) => Description === "consumers of orders")
      .map(({ GroupId, FromPort, ToPort, SourceSecurityGroupId, CidrIp }) => ({
        GroupId,
        FromPort,
        ToPort,
        from: CidrIp ?? JSON.stringify(SourceSecurityGroupId),
      }));

  test("opens the writer's and the readers' groups, which may be imported, at their ports", () => {
    const { stack, vpc, database } = networked();
    const fn = new LambdaFunction(stack, "Fn", {
      runtime: Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: Code.fromInline("export const handler = 1"),
      vpc,
      allowAllOutbound: false,
    });
    database.connectFrom(fn);
    const from = expect.stringContaining("FnSecurityGroup");
    expect(ingress(stack)).toEqual([
      { GroupId: RDS, FromPort: 5_433, ToPort: 5_433, from },
      { GroupId: REPLICA, FromPort: 5_434, ToPort: 5_434, from },
      { GroupId: REPLICA, FromPort: 5_433, ToPort: 5_433, from },
    ]);
    // and the way out of the consumer's
    const ways = ofType(resourcesOf(stack), "AWS::EC2::SecurityGroupEgress");
    expect(JSON.stringify(ways)).toContain(RDS);
    const [, group] = only(resourcesOf(stack), "AWS::EC2::SecurityGroup", "FnSecurityGroup");
    expect(JSON.stringify([ways, group])).toContain(REPLICA);
  });

  test("takes addresses too", () => {
    const { stack, database } = networked();
    database.connectFrom(Peer.ipv4("10.9.0.0/16"));
    expect(ingress(stack)).toHaveLength(3);
    expect(ingress(stack)[0]).toMatchObject({ GroupId: RDS, FromPort: 5_433, from: "10.9.0.0/16" });
  });

  test("a database without a group of its own still lets a consumer out to it", () => {
    const { stack, database } = scene();
    const vpc = new Vpc(stack, "Vpc");
    const group = new SecurityGroup(stack, "Consumer", { vpc, allowAllOutbound: false });
    database.connectFrom(group);
    const [, { Properties }] = only(resourcesOf(stack), "AWS::EC2::SecurityGroup", "Consumer");
    expect(Properties.SecurityGroupEgress).toEqual([
      expect.objectContaining({ CidrIp: "10.0.0.5/32", FromPort: 5_432, ToPort: 5_432 }),
    ]);
  });
});
