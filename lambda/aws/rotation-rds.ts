import {
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  ModifyDBClusterCommand,
  ModifyDBInstanceCommand,
  type RDSClient,
} from "@aws-sdk/client-rds";
import { ConfigError, UnavailableError } from "../../core/errors.ts";
import type { RotationRds } from "../../core/rotation/rotation-ports.ts";
import { sameHost } from "../../core/rotation/versions.ts";
import type { Secret } from "../../core/secret.ts";
import { type Duration, plus, seconds, type Time } from "../../core/time.ts";
import { type AwsAction, callAws } from "./from-aws-error.ts";
import { findReaders, nameOf, type ReaderSource } from "./rds.ts";

export interface RotationRdsDeps {
  readonly client: Pick<RDSClient, "send">;
  /** The server's RDS identifier. Without it, RDS is not called. */
  readonly source: ReaderSource | undefined;
  /** Other addresses of the server in the configuration. */
  readonly fixedHosts: readonly string[];
  /** How long to wait for RDS to apply a password. */
  readonly patience: Duration;
  readonly time: Time;
}

/** The master user of an instance or a cluster, as RDS describes it. */
interface Master {
  readonly username: string | undefined;
  readonly status: string | undefined;
  /** RDS manages the password, in its own secret. */
  readonly managed: boolean;
  /** RDS has accepted a new password, but not applied it yet. */
  readonly pending: boolean;
}

const BETWEEN_LOOKS = seconds(1);

/** Amazon RDS as {@link RotationRds}. */
export function rotationRds(deps: RotationRdsDeps): RotationRds {
  return {
    setMasterPassword: (username, password) => setMasterPassword(deps, username, password),
    belongs: (host) => belongs(deps, host),
    addressOf: (arn) => addressOf(deps, arn),
  };
}

async function setMasterPassword(
  deps: RotationRdsDeps,
  username: string,
  password: Secret,
): Promise<void> {
  const { source, time, patience } = deps;
  if (source === undefined)
    throw new ConfigError(
      "RDS sets the password of the master user, and the function was deployed without the identifier of an instance or a cluster; name it as instance or cluster, and deploy again",
    );
  const name = nameOf(source);
  const before = await describeMaster(deps, source);
  if (before.managed)
    throw new ConfigError(
      `RDS manages the master user's password of ${name} itself; remove this rotation, or end the management: aws rds modify-db-${"cluster" in source ? "cluster" : "instance"} --no-manage-master-user-password`,
    );
  if (before.username !== username)
    throw new ConfigError(
      `the master user of ${name} is "${before.username}", and the secret holds "${username}"; correct the secret`,
    );
  await modify(deps, source, password);
  const until = plus(time.now(), patience);
  for (;;) {
    await time.wait(BETWEEN_LOOKS);
    const { pending, status } = await describeMaster(deps, source);
    if (!pending && status === "available") return;
    if (time.now() >= until)
      throw new UnavailableError(
        "Rds",
        `RDS has not applied the master user's password of ${name} in time, its status is ${status}; wait and retry`,
      );
  }
}

const describing = (source: ReaderSource): AwsAction =>
  "cluster" in source ? "rds:DescribeDBClusters" : "rds:DescribeDBInstances";

async function describeMaster({ client }: RotationRdsDeps, source: ReaderSource): Promise<Master> {
  const found = await callAws(
    `${nameOf(source)} could not be described`,
    describing(source),
    async () => {
      if ("cluster" in source) {
        const { DBClusters: [cluster] = [] } = await client.send(
          new DescribeDBClustersCommand({ DBClusterIdentifier: source.cluster }),
        );
        return cluster && { ...cluster, status: cluster.Status };
      }
      const { DBInstances: [instance] = [] } = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: source.instance }),
      );
      return instance && { ...instance, status: instance.DBInstanceStatus };
    },
  );
  return {
    username: found?.MasterUsername,
    status: found?.status,
    managed: found?.MasterUserSecret !== undefined,
    pending: found?.PendingModifiedValues?.MasterUserPassword !== undefined,
  };
}

const modify = ({ client }: RotationRdsDeps, source: ReaderSource, password: Secret) =>
  callAws(
    `the master user's password of ${nameOf(source)} could not be set`,
    "cluster" in source ? "rds:ModifyDBCluster" : "rds:ModifyDBInstance",
    async () => {
      const change = { MasterUserPassword: password.reveal(), ApplyImmediately: true };
      await ("cluster" in source
        ? client.send(
            new ModifyDBClusterCommand({ DBClusterIdentifier: source.cluster, ...change }),
          )
        : client.send(
            new ModifyDBInstanceCommand({ DBInstanceIdentifier: source.instance, ...change }),
          ));
    },
  );

/** The server's own addresses and those of its readers, from RDS. */
async function belongs(deps: RotationRdsDeps, host: string): Promise<boolean> {
  const { source, fixedHosts } = deps;
  const isIt = (each: string | undefined): boolean => each !== undefined && sameHost(each, host);
  if (fixedHosts.some(isIt)) return true;
  if (source === undefined) return false;
  return callAws(
    `the addresses of ${nameOf(source)} could not be listed`,
    "rds:DescribeDBInstances",
    async () => {
      if ((await endpointsOf(deps, source)).some(isIt)) return true;
      // do not skip readers that also have a configured address
      const readers = await findReaders({ client: deps.client, source, fixedHosts: [] });
      return readers.some((each) => "host" in each && isIt(each.host));
    },
  );
}

/** For a cluster, the address of every member too: after a failover another one is the writer. */
async function endpointsOf(
  { client }: RotationRdsDeps,
  source: ReaderSource,
): Promise<readonly (string | undefined)[]> {
  const instances = await client.send(
    new DescribeDBInstancesCommand(
      "cluster" in source
        ? { Filters: [{ Name: "db-cluster-id", Values: [source.cluster] }] }
        : { DBInstanceIdentifier: source.instance },
    ),
  );
  const own = (instances.DBInstances ?? []).map(({ Endpoint }) => Endpoint?.Address);
  if (!("cluster" in source)) return own;
  const { DBClusters: [cluster] = [] } = await client.send(
    new DescribeDBClustersCommand({ DBClusterIdentifier: source.cluster }),
  );
  const { Endpoint, ReaderEndpoint, CustomEndpoints = [] } = cluster ?? {};
  return [...own, Endpoint, ReaderEndpoint, ...CustomEndpoints];
}

/** `arn:aws:rds:<region>:<account>:db:<name>` or `:cluster:<name>`. */
async function addressOf({ client }: RotationRdsDeps, arn: string): Promise<string | undefined> {
  const [, , , , , kind] = arn.split(":");
  return callAws(
    `${arn} could not be described`,
    kind === "cluster" ? "rds:DescribeDBClusters" : "rds:DescribeDBInstances",
    async () => {
      if (kind === "cluster") {
        const reply = await client.send(
          new DescribeDBClustersCommand({ DBClusterIdentifier: arn }),
        );
        return reply.DBClusters?.[0]?.Endpoint;
      }
      const reply = await client.send(
        new DescribeDBInstancesCommand({ DBInstanceIdentifier: arn }),
      );
      return reply.DBInstances?.[0]?.Endpoint?.Address;
    },
  );
}
