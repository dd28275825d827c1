import { readFileSync } from "node:fs";
import { App, Duration, Stack } from "aws-cdk-lib";
import { Connections, Peer, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
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

/** The authority that signed the server's certificate, if its name is not known to everybody. */
const ca = readFileSync(process.env.ORDERS_CA ?? "ca.pem", "utf8");

const database = new DynamicDatabase(stack, "Database", {
  database: "orders",
  vpc,
  // what lets the functions in: here their own group's way out to the server's network is enough
  databaseConnections: new Connections({ peer: Peer.ipv4("10.20.0.0/16") }),
  host: "postgres.internal.example.com",
  ca,
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
