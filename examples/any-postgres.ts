// Any PostgreSQL that the VPC reaches, with an authority of its own:
// PGSSLROOTCERT=root.pem npx cdk deploy --app "node examples/any-postgres.ts"
import { readFileSync } from "node:fs";
import { App, Duration, Stack } from "aws-cdk-lib";
import { Connections, Peer, Vpc } from "aws-cdk-lib/aws-ec2";
import { Role } from "aws-cdk-lib/aws-iam";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import { DynamicDatabase } from "mayfly";

const stack = new Stack(new App(), "Ledger");
const vpc = Vpc.fromVpcAttributes(stack, "Vpc", {
  vpcId: "vpc-0123456789abcdef0",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
});

const ledger = new DynamicDatabase(stack, "Database", {
  database: "ledger",
  vpc,
  // an address that no security group guards: the rule is the functions' alone
  databaseConnections: new Connections({ peer: Peer.ipv4("10.20.0.5/32") }),
  host: "ledger.corp.example.com",
  port: 5433,
  ca: readFileSync(process.env.PGSSLROOTCERT ?? "root.pem", "utf8"),
  adminSecret: Secret.fromSecretNameV2(stack, "Admin", "ledger-admin"),
  databases: ["ledger"],
  owner: "app_owner",
});
const lengths = { ttl: Duration.hours(1), maxTtl: Duration.hours(24) };
const readonly = ledger.addRole("readonly", { select: ["public.*"], ...lengths });
readonly.addConsumer("reporting", Role.fromRoleName(stack, "Reporting", "reporting"));
