// A service of ECS over an RDS instance that exists, with the agent beside it:
// npx cdk deploy --app "node examples/ecs-sidecar.ts"
import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import { Repository } from "aws-cdk-lib/aws-ecr";
import {
  Cluster,
  ContainerImage,
  ContainerInsights,
  FargateService,
  FargateTaskDefinition,
  LogDrivers,
} from "aws-cdk-lib/aws-ecs";
import { DatabaseInstance } from "aws-cdk-lib/aws-rds";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { addAgentSidecar, DynamicDatabase } from "mayfly";

const stack = new Stack(new App(), "Shop");
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
const readonly = orders.addRole("readonly", {
  select: ["public.*"],
  ttl: Duration.hours(1),
  maxTtl: Duration.hours(24),
  // twice the tasks, and those of a deployment
  maxLeases: 12,
});

const task = new FargateTaskDefinition(stack, "Task", { cpu: 512, memoryLimitMiB: 1024 });
const imageOf = (id: string, name: string): ContainerImage =>
  ContainerImage.fromEcrRepository(Repository.fromRepositoryName(stack, id, name), "2026-11-30");
const app = task.addContainer("app", {
  image: imageOf("AppImage", "shop"),
  logging: LogDrivers.awsLogs({ streamPrefix: "app" }),
});
const sidecar = addAgentSidecar(task, {
  image: imageOf("AgentImage", "mayfly-agent"),
  containers: [app],
  // psql, and nearly every driver, now connect without being told anything
  leases: { "orders/readonly": { port: 5432, variables: [app] } },
});
readonly.addConsumer("shop", sidecar);

const service = new FargateService(stack, "Service", {
  cluster: new Cluster(stack, "Cluster", {
    vpc,
    containerInsightsV2: ContainerInsights.ENABLED,
  }),
  taskDefinition: task,
  desiredCount: 3,
  minHealthyPercent: 100,
  circuitBreaker: { rollback: true },
});
orders.connectFrom(service);
