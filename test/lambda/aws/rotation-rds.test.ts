import { inspect } from "node:util";
import {
  type DBCluster,
  type DBInstance,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  ModifyDBClusterCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RDSServiceException,
} from "@aws-sdk/client-rds";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, onTestFinished, test } from "vitest";
import type { RotationRds } from "../../../core/rotation/rotation-ports.ts";
import { Secret } from "../../../core/secret.ts";
import { type Instant, plus, seconds } from "../../../core/time.ts";
import type { ReaderSource } from "../../../lambda/aws/rds.ts";
import { rotationRds } from "../../../lambda/aws/rotation-rds.ts";

const PASSWORD = new Secret("the-password");
const PATIENCE = seconds(30);
const INSTANCE = { instance: "orders-db" };
const CLUSTER = { cluster: "orders" };
const at = (name: string): string => `${name}.abc.eu-west-1.rds.amazonaws.com`;

const fault = (name: string): Error =>
  new RDSServiceException({
    name,
    $fault: "client",
    $metadata: {},
    message: `quotes ${PASSWORD.reveal()}`,
  });

/** RDS, mocked, and time that jumps when it is waited for. */
function rdsFor(source: ReaderSource | undefined, fixedHosts: readonly string[] = []) {
  const client = mockClient(RDSClient);
  onTestFinished(() => client.restore());
  let now = 0 as Instant;
  const waits: number[] = [];
  const rds = rotationRds({
    client: new RDSClient({ region: "eu-west-1" }),
    source,
    fixedHosts,
    patience: PATIENCE,
    time: {
      now: () => now,
      wait: async (length) => {
        waits.push(length);
        now = plus(now, length);
      },
    },
  });
  return { client, rds, waits };
}

/** The error of a call, with no part of the password anywhere in it. */
async function failureOf(call: Promise<unknown>): Promise<Error> {
  const error = await call.then(
    () => expect.unreachable("it did not fail"),
    (thrown: Error) => thrown,
  );
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD.reveal());
  return error;
}

type State = Pick<
  DBInstance & DBCluster,
  "MasterUsername" | "MasterUserSecret" | "PendingModifiedValues"
> & { readonly status: string };

const available: State = { MasterUsername: "postgres", status: "available" };
const changing: State = {
  ...available,
  status: "resetting-master-credentials",
  PendingModifiedValues: { MasterUserPassword: "****" },
};

/** The same of an instance and of a cluster. */
const KINDS = [
  {
    source: INSTANCE,
    name: "instance orders-db",
    modify: ModifyDBInstanceCommand,
    refuseAs: ({ client }: ReturnType<typeof rdsFor>, error: Error) => {
      client.on(ModifyDBInstanceCommand).rejects(error);
    },
    stateFault: "InvalidDBInstanceStateFault",
    input: { DBInstanceIdentifier: "orders-db" },
    options: "aws rds modify-db-instance --no-manage-master-user-password",
    describeAs: ({ client }: ReturnType<typeof rdsFor>, states: readonly State[]) => {
      const described = client.on(DescribeDBInstancesCommand, {
        DBInstanceIdentifier: "orders-db",
      });
      const replies = states.map(({ status, ...more }) => ({
        DBInstances: [{ ...more, DBInstanceStatus: status }],
      }));
      for (const reply of replies.slice(0, -1)) described.resolvesOnce(reply);
      described.resolves(replies.at(-1) ?? {});
    },
  },
  {
    source: CLUSTER,
    name: "cluster orders",
    modify: ModifyDBClusterCommand,
    refuseAs: ({ client }: ReturnType<typeof rdsFor>, error: Error) => {
      client.on(ModifyDBClusterCommand).rejects(error);
    },
    stateFault: "InvalidDBClusterStateFault",
    input: { DBClusterIdentifier: "orders" },
    options: "aws rds modify-db-cluster --no-manage-master-user-password",
    describeAs: ({ client }: ReturnType<typeof rdsFor>, states: readonly State[]) => {
      const described = client.on(DescribeDBClustersCommand, { DBClusterIdentifier: "orders" });
      const replies = states.map(({ status, ...more }) => ({
        DBClusters: [{ ...more, Status: status }],
      }));
      for (const reply of replies.slice(0, -1)) described.resolvesOnce(reply);
      described.resolves(replies.at(-1) ?? {});
    },
  },
] as const;

describe.each(KINDS)("the master user's password of $name", (kind) => {
  const { source, name, modify, input, describeAs } = kind;
  const modified = ({ client }: ReturnType<typeof rdsFor>) =>
    client
      .calls()
      .map(({ args: [command] }) => command)
      .filter((command) => command instanceof modify)
      .map((command) => command.input);

  test("is set at once, and waited for until it is applied", async () => {
    const scene = rdsFor(source);
    const unapplied = { ...changing, status: "available" };
    const applied = { ...available, status: "resetting-master-credentials" };
    describeAs(scene, [available, unapplied, changing, applied, available]);
    await scene.rds.setMasterPassword("postgres", PASSWORD);
    expect(modified(scene)).toEqual([
      { ...input, MasterUserPassword: "the-password", ApplyImmediately: true },
    ]);
    expect(scene.waits).toEqual([seconds(1), seconds(1), seconds(1), seconds(1)]);
  });

  test("is applied when other changes are still pending", async () => {
    const scene = rdsFor(source);
    describeAs(scene, [{ ...available, PendingModifiedValues: { EngineVersion: "18.1" } }]);
    await scene.rds.setMasterPassword("postgres", PASSWORD);
    expect(scene.waits).toEqual([seconds(1)]);
  });

  test.each([
    ["pending", { ...changing, status: "available" }, "available"],
    ["not available", { ...available, status: "modifying" }, "modifying"],
  ])("that stays %s is a matter of time", async (_, state, status) => {
    const scene = rdsFor(source);
    describeAs(scene, [available, state]);
    const error = await failureOf(scene.rds.setMasterPassword("postgres", PASSWORD));
    expect(error).toMatchObject({
      name: "RdsUnavailableError",
      message: `RDS has not applied the master user's password of ${name} in time, its status is ${status}; wait and retry`,
    });
    expect(scene.waits).toHaveLength(PATIENCE / seconds(1));
  });

  test("is not set where RDS manages it", async () => {
    const scene = rdsFor(source);
    describeAs(scene, [{ ...available, MasterUserSecret: { SecretStatus: "active" } }]);
    expect(await failureOf(scene.rds.setMasterPassword("postgres", PASSWORD))).toMatchObject({
      name: "ConfigError",
      message: `RDS manages the master user's password of ${name} itself; remove this rotation, or end the management: ${kind.options}`,
    });
    expect(modified(scene)).toEqual([]);
  });

  test("is not set for a user who is not the master user", async () => {
    const scene = rdsFor(source);
    describeAs(scene, [available]);
    expect(await failureOf(scene.rds.setMasterPassword("app", PASSWORD))).toMatchObject({
      name: "ConfigError",
      message: `the master user of ${name} is "postgres", and the secret holds "app"; correct the secret`,
    });
    expect(modified(scene)).toEqual([]);
  });

  test.each([
    [kind.stateFault, "RdsUnavailableError", true],
    [kind.stateFault.replace("Fault", ""), "RdsUnavailableError", true],
    ["ThrottlingException", "RdsUnavailableError", true],
    ["TimeoutError", "RdsUnavailableError", true],
    ["InvalidParameterValue", "AwsRefusedError", false],
    ["InvalidParameterCombination", "AwsRefusedError", false],
    ["AccessDenied", "AwsRefusedError", false],
    ["DBInstanceNotFoundFault", "AwsRefusedError", false],
    ["DBClusterNotFoundFault", "AwsRefusedError", false],
  ])("that meets %s is a %s, and in no text", async (code, type, retryable) => {
    const scene = rdsFor(source);
    describeAs(scene, [available]);
    kind.refuseAs(scene, fault(code));
    const error = await failureOf(scene.rds.setMasterPassword("postgres", PASSWORD));
    expect(error).toMatchObject({ name: type, retryable });
    expect(error.message).toMatch(
      `the master user's password of ${name} could not be set (${code} on rds:Modify`,
    );
    expect(scene.waits).toEqual([]);
  });

  test("is not set when RDS does not describe it", async () => {
    const scene = rdsFor(source);
    scene.client.onAnyCommand().rejects(fault("ThrottlingException"));
    expect(await failureOf(scene.rds.setMasterPassword("postgres", PASSWORD))).toMatchObject({
      retryable: true,
      message: expect.stringContaining(
        `(ThrottlingException on ${"cluster" in source ? "rds:DescribeDBClusters" : "rds:DescribeDBInstances"})`,
      ),
    });
    expect(modified(scene)).toEqual([]);
  });
});

test("without an instance or a cluster nothing is asked of RDS", async () => {
  const { rds, client } = rdsFor(undefined);
  expect(await failureOf(rds.setMasterPassword("postgres", PASSWORD))).toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("name it as instance or cluster, and deploy again"),
  });
  expect(await rds.belongs(at("orders-db"))).toBe(false);
  expect(client.calls()).toEqual([]);
});

const instance = (name: string, more: Partial<DBInstance> = {}): DBInstance => ({
  DBInstanceIdentifier: name,
  DBInstanceStatus: "available",
  Endpoint: { Address: at(name), Port: 5_432 },
  ...more,
});

/** RDS with these instances, and the cluster of those that say they are of it. */
function describing(
  { client }: ReturnType<typeof rdsFor>,
  instances: readonly DBInstance[],
  cluster: DBCluster = {},
): void {
  client.on(DescribeDBClustersCommand, { DBClusterIdentifier: "orders" }).resolves({
    DBClusters: [cluster],
  });
  client.on(DescribeDBInstancesCommand).callsFake(({ DBInstanceIdentifier: id, Filters = [] }) => {
    const [{ Name, Values } = { Name: "db-instance-id", Values: [id] }] = Filters;
    const key = Name === "db-cluster-id" ? "DBClusterIdentifier" : "DBInstanceIdentifier";
    return { DBInstances: instances.filter((each) => Values.includes(each[key])) };
  });
}

describe("an instance", () => {
  test.each([
    ["its own address", at("orders-db"), true],
    ["its replica", at("replica"), true],
    ["its replica's replica", at("second"), true],
    ["its replica in other letters, with a dot", `${at("replica").toUpperCase()}.`, true],
    ["an address of the configuration", "replica.example.com", true],
    ["such an address, with a dot", "replica.example.com.", true],
    ["another instance", at("invoices-db"), false],
    ["a name that begins like its replica", `${at("replica")}.example.com`, false],
    ["an unknown host", "db.elsewhere.example", false],
  ])("and %s: %s belongs: %s", async (_, host, expected) => {
    const scene = rdsFor(INSTANCE, ["replica.example.com"]);
    describing(scene, [
      instance("orders-db", { ReadReplicaDBInstanceIdentifiers: ["replica", "starting"] }),
      instance("replica", { ReadReplicaDBInstanceIdentifiers: ["second"] }),
      instance("second"),
      instance("starting", { Endpoint: undefined, DBInstanceStatus: "creating" }),
      instance("invoices-db"),
    ]);
    expect(await scene.rds.belongs(host)).toBe(expected);
  });
});

describe("a cluster", () => {
  const members = [
    instance("writer", { DBClusterIdentifier: "orders" }),
    instance("reader", { DBClusterIdentifier: "orders" }),
    instance("other", { DBClusterIdentifier: "invoices" }),
  ];
  const cluster = {
    Endpoint: at("orders.cluster"),
    ReaderEndpoint: at("orders.cluster-ro"),
    CustomEndpoints: [at("analytics.cluster-custom")],
    DBClusterMembers: [
      { DBInstanceIdentifier: "writer", IsClusterWriter: true },
      { DBInstanceIdentifier: "reader", IsClusterWriter: false },
    ],
  };

  test.each([
    ["its endpoint", at("orders.cluster"), true],
    ["its reader endpoint", at("orders.cluster-ro"), true],
    ["a custom endpoint", at("analytics.cluster-custom"), true],
    ["a reader of it", at("reader"), true],
    ["the member that is the writer now", at("writer"), true],
    ["a member of another cluster", at("other"), false],
    ["an unknown host", "db.elsewhere.example", false],
  ])("and %s: %s belongs: %s", async (_, host, expected) => {
    const scene = rdsFor(CLUSTER);
    describing(scene, members, cluster);
    expect(await scene.rds.belongs(host)).toBe(expected);
  });

  test("has an instance that replicates from it", async () => {
    const scene = rdsFor(CLUSTER);
    describing(scene, [...members, instance("replica")], {
      ...cluster,
      ReadReplicaIdentifiers: ["replica"],
    });
    expect(await scene.rds.belongs(at("replica"))).toBe(true);
  });
});

test("an address of the configuration costs no call", async () => {
  const { rds, client } = rdsFor(CLUSTER, ["replica.example.com"]);
  expect(await rds.belongs("Replica.example.com")).toBe(true);
  expect(client.calls()).toEqual([]);
});

const ARN_OF = (kind: string): string => `arn:aws:rds:eu-west-1:111122223333:${kind}`;

test("the address of an ARN is its instance's or its cluster's", async () => {
  const { rds, client } = rdsFor(undefined);
  client
    .on(DescribeDBInstancesCommand, { DBInstanceIdentifier: ARN_OF("db:orders-db") })
    .resolves({ DBInstances: [instance("orders-db")] })
    .on(DescribeDBInstancesCommand, { DBInstanceIdentifier: ARN_OF("db:starting") })
    .resolves({ DBInstances: [instance("starting", { Endpoint: undefined })] })
    .on(DescribeDBClustersCommand, { DBClusterIdentifier: ARN_OF("cluster:orders") })
    .resolves({ DBClusters: [{ Endpoint: at("orders.cluster") }] });
  expect(await rds.addressOf(ARN_OF("db:orders-db"))).toBe(at("orders-db"));
  expect(await rds.addressOf(ARN_OF("db:starting"))).toBeUndefined();
  expect(await rds.addressOf(ARN_OF("cluster:orders"))).toBe(at("orders.cluster"));
});

const QUESTIONS: readonly [string, ReaderSource, (rds: RotationRds) => Promise<unknown>, string][] =
  [
    [
      "an instance's addresses",
      INSTANCE,
      (rds) => rds.belongs("host"),
      "the addresses of instance orders-db could not be listed",
    ],
    [
      "a cluster's addresses",
      CLUSTER,
      (rds) => rds.belongs("host"),
      "the addresses of cluster orders could not be listed",
    ],
    [
      "an ARN's address",
      CLUSTER,
      (rds) => rds.addressOf(ARN_OF("db:x")),
      `${ARN_OF("db:x")} could not be described`,
    ],
  ];

describe.each(QUESTIONS)("%s that RDS does not tell", (_, source, ask, text) => {
  test.each([
    ["ThrottlingException", "RdsUnavailableError"],
    ["InternalFailure", "RdsUnavailableError"],
    ["AccessDenied", "AwsRefusedError"],
    ["DBInstanceNotFoundFault", "AwsRefusedError"],
  ])("for %s are a %s, and no answer", async (code, type) => {
    const { rds, client } = rdsFor(source);
    client.onAnyCommand().rejects(fault(code));
    const error = await failureOf(ask(rds));
    expect(error).toMatchObject({ name: type });
    expect(error.message).toContain(`${text} (${code} on rds:Describe`);
  });
});

test("if RDS does not list the replicas, the error is retryable", async () => {
  const scene = rdsFor(INSTANCE);
  describing(scene, [instance("orders-db", { ReadReplicaDBInstanceIdentifiers: ["replica"] })]);
  scene.client
    .on(DescribeDBInstancesCommand, {
      Filters: [{ Name: "db-instance-id", Values: ["replica"] }],
    })
    .rejects(fault("ThrottlingException"));
  expect(await failureOf(scene.rds.belongs(at("replica")))).toMatchObject({ retryable: true });
});
