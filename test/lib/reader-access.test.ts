import { Stack } from "aws-cdk-lib";
import { Connections, Peer } from "aws-cdk-lib/aws-ec2";
import { afterAll, expect, test } from "vitest";
import type { DynamicDatabaseProps } from "../../lib/index.ts";
import { ofType, READONLY, type Resources, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

function synthesized(props: Partial<DynamicDatabaseProps>): Resources {
  const database = bench.database(props);
  database.addRole("readonly", READONLY);
  return resourcesOf(Stack.of(database));
}

const NAMES = ["Issuer", "Revoker", "Sweeper", "Operator", "Provisioner"];

/** What a function's environment says of readers, by the function's name. */
function environments(resources: Resources): Record<string, unknown> {
  const functions = ofType(resources, "AWS::Lambda::Function");
  return Object.fromEntries(
    NAMES.map((name) => {
      const wanted = new RegExp(`${name}[0-9A-F]{8}$`);
      const found = functions.filter(([id]) => wanted.test(id));
      expect(found).toHaveLength(1);
      const [variables] = found.map(
        ([, { Properties }]) =>
          (Properties.Environment as { Variables: Record<string, unknown> }).Variables,
      );
      const { DB_READERS, DB_CLUSTER, DB_INSTANCE } = variables ?? {};
      return [name, { DB_READERS, DB_CLUSTER, DB_INSTANCE }];
    }),
  );
}

/** Every statement that allows something of RDS. */
function rdsStatements(resources: Resources): { Action: string; Resource: unknown }[] {
  return ofType(resources, "AWS::IAM::Policy").flatMap(([, { Properties }]) => {
    const { Statement } = Properties.PolicyDocument as {
      Statement: { Action: string; Resource: unknown }[];
    };
    return Statement.filter(({ Action }) => String(Action).startsWith("rds:"));
  });
}

const arn = (end: string) => ({
  "Fn::Join": ["", expect.arrayContaining([expect.stringContaining(`:${end}`)])],
});

test("without readers the functions have no variables and no RDS permissions for them", () => {
  const resources = synthesized({});
  const nothing = { DB_READERS: undefined, DB_CLUSTER: undefined, DB_INSTANCE: undefined };
  expect(environments(resources)).toEqual(Object.fromEntries(NAMES.map((n) => [n, nothing])));
  expect(rdsStatements(resources)).toEqual([]);
});

test("configured readers are in the environment of every revoking function, without permissions", () => {
  const readers = [{ host: "one.example.com" }, { host: "two.example.com", port: 5433 }];
  const resources = synthesized({ readers });
  for (const said of Object.values(environments(resources)))
    expect(said).toMatchObject({ DB_READERS: "one.example.com:5432,two.example.com:5433" });
  expect(rdsStatements(resources)).toEqual([]);
});

test("a cluster's readers may be asked of RDS by every function that revokes, and by no other", () => {
  const resources = synthesized({ clusterIdentifier: "orders" });
  for (const said of Object.values(environments(resources)))
    expect(said).toMatchObject({ DB_CLUSTER: "orders" });
  const statements = rdsStatements(resources);
  expect(statements).toHaveLength(2 * NAMES.length);
  expect(statements.filter(({ Action }) => Action === "rds:DescribeDBClusters")).toEqual(
    NAMES.map(() => expect.objectContaining({ Resource: arn("cluster:orders") })),
  );
  expect(statements.filter(({ Action }) => Action === "rds:DescribeDBInstances")).toEqual(
    NAMES.map(() => expect.objectContaining({ Resource: arn("db:*") })),
  );
});

test("an instance's replicas need one permission", () => {
  const resources = synthesized({ instanceIdentifier: "orders-db" });
  for (const said of Object.values(environments(resources)))
    expect(said).toMatchObject({ DB_INSTANCE: "orders-db" });
  expect(new Set(rdsStatements(resources).map(({ Action }) => Action))).toEqual(
    new Set(["rds:DescribeDBInstances"]),
  );
});

test("the functions reach the readers' security group and ports, and nothing more", () => {
  const resources = synthesized({
    readers: [{ host: "one.example.com", port: 5433 }],
    readerConnections: [new Connections({ peer: Peer.ipv4("10.0.0.6/32") })],
  });
  const [[, group] = []] = ofType(resources, "AWS::EC2::SecurityGroup");
  const egress = group?.Properties.SecurityGroupEgress as { CidrIp: string; FromPort: number }[];
  expect(egress.map(({ CidrIp, FromPort }) => `${CidrIp} ${FromPort}`).sort()).toEqual([
    "0.0.0.0/0 443",
    "10.0.0.5/32 5432",
    "10.0.0.6/32 5432",
    "10.0.0.6/32 5433",
  ]);
});

test("refuses a cluster and an instance, with both values", () => {
  expect(() => bench.database({ clusterIdentifier: "a", instanceIdentifier: "b" })).toThrow(
    'clusterIdentifier "a" does not go with instanceIdentifier "b"; give the one that the writer is',
  );
});
