import {
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  RDSClient,
  RDSServiceException,
} from "@aws-sdk/client-rds";
import { mockClient } from "aws-sdk-client-mock";
import { expect, onTestFinished, test } from "vitest";
import { type Instant, seconds } from "../../../core/time.ts";
import { type ReaderSource, rdsReaders } from "../../../lambda/aws/rds.ts";

/** An instance as RDS describes it. */
const instance = (name: string, more: object = {}) => ({
  DBInstanceIdentifier: name,
  DBInstanceStatus: "available",
  Endpoint: { Address: `${name}.abc.eu-west-1.rds.amazonaws.com`, Port: 5_432 },
  ReadReplicaDBInstanceIdentifiers: [],
  ...more,
});
const at = (name: string) => ({ host: `${name}.abc.eu-west-1.rds.amazonaws.com`, port: 5_432 });

function rdsWith(instances: readonly ReturnType<typeof instance>[]) {
  const client = mockClient(RDSClient);
  onTestFinished(() => client.restore());
  client.on(DescribeDBInstancesCommand).callsFake(({ DBInstanceIdentifier: id, Filters }) => {
    const wanted: readonly string[] = id === undefined ? Filters[0].Values : [id];
    const found = instances.filter((each) => wanted.includes(each.DBInstanceIdentifier));
    return { DBInstances: found };
  });
  let now = 0;
  return {
    client,
    pass: (length: number) => {
      now += length;
    },
    readers: (source: ReaderSource, fixedHosts: readonly string[] = []) =>
      rdsReaders({
        client: new RDSClient({ region: "eu-west-1" }),
        source,
        fixedHosts,
        time: { now: () => now as Instant },
      }),
  };
}

test("the readers of a cluster are its members but the writer, each by its own endpoint", async () => {
  const rds = rdsWith([instance("one"), instance("two"), instance("three")]);
  rds.client.on(DescribeDBClustersCommand).resolves({
    DBClusters: [
      {
        DBClusterIdentifier: "orders",
        DBClusterMembers: [
          { DBInstanceIdentifier: "one", IsClusterWriter: false },
          { DBInstanceIdentifier: "two", IsClusterWriter: true },
          { DBInstanceIdentifier: "three", IsClusterWriter: false },
        ],
      },
    ],
  });
  expect(await rds.readers({ cluster: "orders" })()).toEqual([at("one"), at("three")]);
});

test("the readers of an instance are its replicas, and theirs", async () => {
  const rds = rdsWith([
    instance("orders-db", { ReadReplicaDBInstanceIdentifiers: ["a", "b"] }),
    instance("a", { ReadReplicaDBInstanceIdentifiers: ["c"] }),
    instance("b"),
    instance("c"),
  ]);
  expect(await rds.readers({ instance: "orders-db" })()).toEqual([at("a"), at("b"), at("c")]);
});

test("an instance without replicas has none, and costs one call", async () => {
  const rds = rdsWith([instance("orders-db")]);
  expect(await rds.readers({ instance: "orders-db" })()).toEqual([]);
  expect(rds.client.calls()).toHaveLength(1);
});

test("a reader's status other than available is reported, and the reader is still checked", async () => {
  const rds = rdsWith([
    instance("orders-db", { ReadReplicaDBInstanceIdentifiers: ["a", "b"] }),
    instance("a", { DBInstanceStatus: "backing-up" }),
    instance("b", { DBInstanceStatus: "creating", Endpoint: undefined }),
  ]);
  const [a, b] = await rds.readers({ instance: "orders-db" })();
  expect(a).toEqual({ ...at("a"), status: "backing-up" });
  expect(b).toMatchObject({
    server: "b",
    error: {
      message:
        "reader b has no endpoint, its status is creating; wait until RDS says available, or delete it",
    },
  });
});

test("a replica of another Region is a problem, unless its endpoint is given", async () => {
  const arn = "arn:aws:rds:us-east-1:111122223333:db:far";
  const rds = rdsWith([instance("orders-db", { ReadReplicaDBInstanceIdentifiers: [arn] })]);
  expect(await rds.readers({ instance: "orders-db" })()).toMatchObject([
    {
      server: "far",
      error: { message: expect.stringMatching(/RDS lists in this Region; name its endpoint/) },
    },
  ]);
  const given = ["far.xyz.us-east-1.rds.amazonaws.com"];
  expect(await rds.readers({ instance: "orders-db" }, given)()).toEqual([]);
});

test("RDS is asked again after ten seconds, not before", async () => {
  const rds = rdsWith([instance("orders-db")]);
  const list = rds.readers({ instance: "orders-db" });
  await Promise.all([list(), list()]);
  rds.pass(seconds(9));
  await list();
  expect(rds.client.calls()).toHaveLength(1);
  rds.pass(seconds(1));
  await list();
  expect(rds.client.calls()).toHaveLength(2);
});

test.each([
  ["AccessDenied", "AwsRefusedError"],
  ["DBClusterNotFoundFault", "AwsRefusedError"],
  ["ThrottlingException", "RdsUnavailableError"],
])("%s of RDS is one reader that cannot be looked at, with a %s", async (name, type) => {
  const rds = rdsWith([]);
  rds.client
    .on(DescribeDBClustersCommand)
    .rejects(new RDSServiceException({ name, $fault: "client", $metadata: {}, message: "quotes" }));
  const [only, ...others] = await rds.readers({ cluster: "orders" })();
  expect(others).toEqual([]);
  expect(only).toMatchObject({ server: "readers of cluster orders", error: { name: type } });
  expect(JSON.stringify(only)).not.toContain("quotes");
});
