// Secrets alone, without leases, in front of an RDS instance that exists:
// npx cdk deploy --app "node examples/rotated-secrets.ts"
import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
import { DatabaseInstance } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { RotatedSecret, RotationSchedule } from "mayfly";

const stack = new Stack(new App(), "Secrets");
const instance = DatabaseInstance.fromDatabaseInstanceAttributes(stack, "Instance", {
  instanceIdentifier: "orders-db",
  instanceEndpointAddress: "orders-db.abc123.eu-west-1.rds.amazonaws.com",
  port: 5432,
  securityGroups: [SecurityGroup.fromSecurityGroupId(stack, "Group", "sg-0123456789abcdef0")],
});
const server = {
  database: "orders",
  databaseName: "orders",
  host: instance.dbInstanceEndpointAddress,
  databaseConnections: instance,
  vpc: Vpc.fromVpcAttributes(stack, "Vpc", {
    vpcId: "vpc-0123456789abcdef0",
    availabilityZones: ["eu-west-1a", "eu-west-1b"],
    privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  }),
};
const secretArn = (name: string): string =>
  `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}`;

// a secret that applications read already: it keeps its name, its readers and its other keys
const reports = new RotatedSecret(stack, "Reports", {
  ...server,
  name: "reports",
  strategy: "single-user",
  username: "reports",
  secret: Secret.fromSecretCompleteArn(stack, "ReportsSecret", secretArn("reports-AbCdEf")),
  testQueries: ["select 1 from public.orders limit 1"],
});
reports.grantRead(Role.fromRoleName(stack, "Reporting", "reporting"));

// a new secret for two users, who exist and are members of app_owner. Its password is random: put
// that of shop_a into it, and Secrets Manager's next attempt gets in
const shop = new RotatedSecret(stack, "Shop", {
  ...server,
  name: "shop",
  strategy: "alternating-users",
  usernames: ["shop_a", "shop_b"],
  ownerGroup: "app_owner",
  adminSecret: Secret.fromSecretCompleteArn(stack, "Admin", secretArn("orders-admin-AbCdEf")),
  schedule: RotationSchedule.cron("cron(0 4 ? * SUN *)"),
  window: Duration.hours(2),
});
shop.grantRead(Role.fromRoleName(stack, "ShopService", "shop"));
