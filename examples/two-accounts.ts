// A database in one account, its consumer in another:
// npx cdk deploy --all --app "node examples/two-accounts.ts"
import { App, Duration, Stack } from "aws-cdk-lib";
import { SecurityGroup, Vpc } from "aws-cdk-lib/aws-ec2";
import {
  Cluster,
  ContainerImage,
  FargateService,
  FargateTaskDefinition,
} from "aws-cdk-lib/aws-ecs";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase, EcsTaskRole } from "mayfly";

const app = new App();
const region = "eu-west-1";
const availabilityZones = ["eu-west-1a", "eu-west-1b"];

// the consumer's account: its role, to which this app attaches the policy too
const shop = new Stack(app, "Shop", { env: { account: "222233334444", region } });
// its name is known before it exists: the other account's policy names it
const role = new EcsTaskRole(shop, "Role", { roleName: "shop-reporting" });
const task = new FargateTaskDefinition(shop, "Task", { taskRole: role });
const container = task.addContainer("app", {
  image: ContainerImage.fromRegistry("acme/reporting"),
});
const vpc = Vpc.fromVpcAttributes(shop, "Vpc", {
  vpcId: "vpc-0123456789abcdef1",
  availabilityZones,
  privateSubnetIds: ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
});
const cluster = new Cluster(shop, "Cluster", { vpc });
const REPLICAS = 4;
new FargateService(shop, "Service", { cluster, taskDefinition: task, desiredCount: REPLICAS });

// the database's account: the alias, which allows that role and refuses all others
const data = new Stack(app, "Data", { env: { account: "111122223333", region } });
const orders = new DynamicDatabase(data, "Orders", {
  database: "orders",
  vpc: Vpc.fromVpcAttributes(data, "Vpc", {
    vpcId: "vpc-0123456789abcdef0",
    availabilityZones,
    privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  }),
  databaseConnections: SecurityGroup.fromSecurityGroupId(data, "Group", "sg-0123456789abcdef0"),
  host: "orders-db.abc123.eu-west-1.rds.amazonaws.com",
  adminSecret: Secret.fromSecretNameV2(data, "Admin", "orders-admin"),
  databases: ["orders"],
  owner: "app_owner",
});
const readonly = orders.addRole("readonly", {
  select: ["public.*"],
  ttl: Duration.hours(1),
  maxTtl: Duration.hours(24),
});
// both halves of the permission, and the variable by which clients find the alias
readonly.addConsumer("reporting", container, { replicas: REPLICAS });
