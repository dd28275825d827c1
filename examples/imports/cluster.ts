import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
import { DatabaseCluster } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase } from "../../lib/index.ts";

const app = new App();
const stack = new Stack(app, "Orders", { env: { account: "111122223333", region: "eu-west-1" } });

const vpc = Vpc.fromVpcAttributes(stack, "Vpc", {
  vpcId: "vpc-0123456789abcdef0",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  privateSubnetRouteTableIds: ["rtb-0123456789abcdef0", "rtb-0123456789abcdef1"],
});

/** An Aurora cluster. Mayfly speaks to its writer. */
const cluster = DatabaseCluster.fromDatabaseClusterAttributes(stack, "Cluster", {
  clusterIdentifier: "orders",
  clusterEndpointAddress: "orders.cluster-c0ffee.eu-west-1.rds.amazonaws.com",
  port: 5432,
  securityGroups: [SecurityGroup.fromSecurityGroupId(stack, "Group", "sg-0123456789abcdef0")],
});

const database = new DynamicDatabase(stack, "Database", {
  database: "orders",
  vpc,
  databaseConnections: cluster,
  host: cluster.clusterEndpoint.hostname,
  adminSecret: Secret.fromSecretNameV2(stack, "Admin", "orders-admin"),
  databases: ["orders"],
  owner: "app_owner",
});

const readonly = database.addRole("readonly", {
  select: ["public.*"],
  ttl: Duration.hours(1),
  maxTtl: Duration.hours(24),
});
const reporting = "arn:aws:iam::111122223333:role/reporting";
readonly.addConsumer("reporting", Role.fromRoleArn(stack, "Reporting", reporting));

app.synth();
