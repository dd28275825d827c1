// Mayfly's roles under a permissions boundary, as an organization may demand it:
// npx cdk deploy --app "node examples/permissions-boundary.ts"
import { App, Aws, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { ManagedPolicy, PermissionsBoundary, PolicyStatement, Role } from "aws-cdk-lib/aws-iam";
import { DatabaseInstance } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase } from "mayfly";

const stack = new Stack(new App(), "Bounded");
const here = (service: string, resource: string): string =>
  `arn:${Aws.PARTITION}:${service}:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;

// A boundary allows nothing by itself: it limits what the policies of a role can allow.
const boundary = new ManagedPolicy(stack, "Boundary", {
  description: "The most that a role of Mayfly may ever do",
  statements: [
    new PolicyStatement({
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [here("logs", "log-group:*")],
    }),
    new PolicyStatement({
      actions: [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
        "scheduler:ListSchedules",
      ],
      resources: ["*"],
    }),
    new PolicyStatement({
      actions: [
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ],
      resources: [here("secretsmanager", "secret:*")],
    }),
    new PolicyStatement({
      actions: [
        "scheduler:CreateSchedule",
        "scheduler:GetSchedule",
        "scheduler:DeleteSchedule",
        "scheduler:DeleteScheduleGroup",
      ],
      resources: [
        here("scheduler", "schedule/mayfly-*"),
        here("scheduler", "schedule-group/mayfly-*"),
      ],
    }),
    new PolicyStatement({
      actions: ["iam:PassRole"],
      resources: [`arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/*`],
      conditions: { StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } },
    }),
    new PolicyStatement({
      actions: ["lambda:InvokeFunction", "lambda:GetFunction"],
      resources: [here("lambda", "function:*")],
    }),
    new PolicyStatement({
      actions: [
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
      ],
      resources: [here("sqs", "*")],
    }),
    new PolicyStatement({
      actions: ["rds:DescribeDBInstances", "rds:ModifyDBInstance"],
      resources: [here("rds", "db:*")],
    }),
  ],
});
PermissionsBoundary.of(stack).apply(boundary);

const instance = DatabaseInstance.fromDatabaseInstanceAttributes(stack, "Instance", {
  instanceIdentifier: "orders-db",
  instanceEndpointAddress: "orders-db.abc123.eu-west-1.rds.amazonaws.com",
  port: 5432,
  securityGroups: [SecurityGroup.fromSecurityGroupId(stack, "Group", "sg-0123456789abcdef0")],
});
const orders = new DynamicDatabase(stack, "Database", {
  database: "orders",
  vpc: Vpc.fromVpcAttributes(stack, "Vpc", {
    vpcId: "vpc-0123456789abcdef0",
    availabilityZones: ["eu-west-1a", "eu-west-1b"],
    privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  }),
  databaseConnections: instance,
  host: instance.dbInstanceEndpointAddress,
  adminSecret: Secret.fromSecretNameV2(stack, "Admin", "orders-admin"),
  databases: ["orders"],
  owner: "app_owner",
});
const lengths = { ttl: Duration.hours(1), maxTtl: Duration.hours(24) };
const readonly = orders.addRole("readonly", { select: ["public.*"], ...lengths });
// the boundary is for the roles of this stack; this one exists
readonly.addConsumer("user-service", Role.fromRoleName(stack, "UserService", "user-service"));
