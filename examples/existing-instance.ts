// An RDS instance that exists: npx cdk deploy --app "node examples/existing-instance.ts"
import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
import { DatabaseInstance } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase } from "mayfly";

const stack = new Stack(new App(), "Orders");
const vpc = Vpc.fromVpcAttributes(stack, "Vpc", {
  vpcId: "vpc-0123456789abcdef0",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
});
const instance = DatabaseInstance.fromDatabaseInstanceAttributes(stack, "Instance", {
  instanceIdentifier: "orders-db",
  instanceEndpointAddress: "orders-db.abc123.eu-west-1.rds.amazonaws.com",
  port: 5432,
  securityGroups: [SecurityGroup.fromSecurityGroupId(stack, "Group", "sg-0123456789abcdef0")],
});

const orders = new DynamicDatabase(stack, "Database", {
  database: "orders",
  vpc,
  databaseConnections: instance,
  host: instance.dbInstanceEndpointAddress,
  adminSecret: Secret.fromSecretNameV2(stack, "Admin", "orders-admin"),
  databases: ["orders"],
  owner: "app_owner",
});
const lengths = { ttl: Duration.hours(1), maxTtl: Duration.hours(24) };
const readonly = orders.addRole("readonly", { select: ["public.*"], ...lengths });
readonly.addConsumer("user-service", Role.fromRoleName(stack, "UserService", "user-service"));
