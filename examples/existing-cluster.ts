// An Aurora cluster that exists: npx cdk deploy --app "node examples/existing-cluster.ts"
import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
import { DatabaseCluster } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase } from "mayfly";

const stack = new Stack(new App(), "Billing");
const vpc = Vpc.fromVpcAttributes(stack, "Vpc", {
  vpcId: "vpc-0123456789abcdef0",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
});
const cluster = DatabaseCluster.fromDatabaseClusterAttributes(stack, "Cluster", {
  clusterIdentifier: "billing",
  clusterEndpointAddress: "billing.cluster-abc123.eu-west-1.rds.amazonaws.com",
  port: 5432,
  securityGroups: [SecurityGroup.fromSecurityGroupId(stack, "Group", "sg-0123456789abcdef0")],
});

const billing = new DynamicDatabase(stack, "Database", {
  database: "billing",
  vpc,
  databaseConnections: cluster,
  host: cluster.clusterEndpoint.hostname, // the writer's; RDS lists the readers
  port: cluster.clusterEndpoint.port,
  clusterIdentifier: cluster.clusterIdentifier,
  adminSecret: Secret.fromSecretNameV2(stack, "Admin", "billing-admin"),
  databases: ["billing"],
  owner: "app_owner",
});
const lengths = { ttl: Duration.hours(1), maxTtl: Duration.hours(24) };
const readonly = billing.addRole("readonly", { select: ["public.*"], ...lengths });
readonly.addConsumer("reporting", Role.fromRoleName(stack, "Reporting", "reporting"));
