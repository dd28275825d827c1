import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { problemAt, problemsOf, vpc, withHost } from "./sample-config.ts";

const withVpc = (change: object) => withHost({ vpc: { ...vpc, ...change } });

test.each<[string, unknown, string]>([
  [
    "an address for a host",
    withHost({ host: "postgres://db:5432" }),
    'databases.orders.host: "postgres://db:5432" is not a host name; write the name alone, without protocol or port, e.g. "db.example.com"',
  ],
  [
    "an incomplete ARN",
    withHost({ adminSecret: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db" }),
    'databases.orders.adminSecret: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db" is not a secret; write its name or its complete ARN',
  ],
  [
    "a secret's value for its name",
    withHost({ adminSecret: '{"username":"admin","password":"hunter2"}' }),
    "databases.orders.adminSecret: a value with a password in it is not a secret; write its name or its complete ARN",
  ],
  [
    "a login for a host",
    withHost({ host: "postgres://admin:hunter2@db" }),
    'databases.orders.host: a value with a password in it is not a host name; write the name alone, without protocol or port, e.g. "db.example.com"',
  ],
  [
    "an id with a space",
    withHost({ serverId: "db ABC" }),
    'databases.orders.serverId: "db ABC" is not a server\'s id; write 1 to 256 printable characters without spaces, e.g. its DbiResourceId, "db-ABC…"',
  ],
  [
    "a path for a certificate",
    withHost({ ca: "./ca.pem" }),
    'databases.orders.ca: "./ca.pem" is not a certificate; give the PEM text of the roots, not a path',
  ],
  [
    "half of TLS",
    withHost({ tls: "require" }),
    'databases.orders.tls: "require" is not a way to connect; write "verify-full", or "plaintext" for a server without TLS',
  ],
  [
    "plaintext with a certificate",
    withHost({ tls: "plaintext", ca: rootCertificates[0] }),
    'databases.orders.tls: "plaintext" does not go with ca; remove ca, or write verify-full',
  ],
  [
    "a reader's URL",
    withHost({ readers: ["replica.example.com", "postgres://replica"] }),
    'databases.orders.readers[1]: "postgres://replica" is not a reader; write its name, with a port if it is another, e.g. "replica.example.com:5433"',
  ],
  [
    "no readers in a list",
    withHost({ readers: [] }),
    'databases.orders.readers: [] is not a list of at least one; list them, e.g. ["replica.example.com:5432"]',
  ],
  [
    "the writer as its reader",
    withHost({ readers: ["db.example.com"] }),
    'databases.orders.readers: ["db.example.com"] names the writer; remove it: the writer is looked at anyway',
  ],
  [
    "an endpoint for a cluster",
    withHost({ cluster: "orders.cluster-abc.eu-west-1.rds.amazonaws.com" }),
    'databases.orders.cluster: "orders.cluster-abc.eu-west-1.rds.amazonaws.com" is not an identifier; write it as RDS shows it, e.g. "orders-db", without account, Region or endpoint',
  ],
  [
    "a cluster and an instance",
    withHost({ cluster: "orders", instance: "orders-db" }),
    'databases.orders.instance: "orders-db" cannot be combined with cluster; remove one of the two',
  ],
  [
    "no VPC",
    withHost({ vpc: undefined }),
    "databases.orders.vpc: missing; give vpcId, availabilityZones, privateSubnetIds, securityGroupId",
  ],
  [
    "a VPC's name",
    withVpc({ vpcId: "main" }),
    'databases.orders.vpc.vpcId: "main" is not an id; write an id such as "vpc-0123456789abcdef0"',
  ],
  [
    "a zone's number",
    withVpc({ availabilityZones: ["eu-west-1a", "1b"] }),
    'databases.orders.vpc.availabilityZones[1]: "1b" is not one; write it as in "eu-west-1a"',
  ],
  [
    "a zone without a subnet",
    withVpc({ privateSubnetIds: ["subnet-0123456789abcdef0"] }),
    'databases.orders.vpc.privateSubnetIds: ["subnet-0123456789abcdef0"] does not divide among 2 zones; list as many subnets for each zone, in the order of the zones',
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([problem]);
});

const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";

test.each<[string, object, string, unknown]>([
  ["a port in quotes", { port: "5432" }, "port", "5432"],
  ["a broken certificate", { ca: BROKEN }, "ca", BROKEN],
  ["a reader's port out of range", { readers: ["replica:70000"] }, "readers[0]", "replica:70000"],
])("refuses %s, naming place and value", (_what, change, key, value) => {
  expect(problemsOf(withHost(change))).toEqual([problemAt(`databases.orders.${key}`, value)]);
});

test("accepts a host with every option", () => {
  const ca = rootCertificates.slice(0, 2).join("\n");
  const config = withHost({ port: 6432, ca, tls: "verify-full", tag: "ab27", shards: 100 });
  const { target, ...rest } = parseConfig(config).databases.orders ?? {};
  expect(target).toEqual({
    host: "db.example.com",
    port: 6_432,
    adminSecret: "db/admin",
    vpc,
    tls: "verify-full",
    ca,
  });
  expect(rest).toMatchObject({ tag: "ab27", shards: 100 });
});

test("accepts tls: plaintext", () => {
  expect(problemsOf(withHost({ tls: "plaintext" }))).toEqual([]);
});

test("accepts readers beside those that RDS lists, on the writer's port unless they have their own", () => {
  const readers = ["one.example.com", "two.example.com:5433"];
  const config = withHost({ port: 6432, readers, cluster: "orders" });
  expect(parseConfig(config).databases.orders?.target).toMatchObject({
    readers: [
      { host: "one.example.com", port: 6_432 },
      { host: "two.example.com", port: 5_433 },
    ],
    cluster: "orders",
  });
});
