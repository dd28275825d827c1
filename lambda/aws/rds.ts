import {
  type DBInstance,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  type RDSClient,
} from "@aws-sdk/client-rds";
import { ConfigError, UnavailableError } from "../../core/errors.ts";
import type { ReaderAddress } from "../../core/leases/lease-ports.ts";
import { type Instant, plus, seconds, type Time } from "../../core/time.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** The source of the readers that RDS lists: a DB cluster, or an instance with read replicas. */
export type ReaderSource = { readonly cluster: string } | { readonly instance: string };

export interface RdsReadersDeps {
  readonly client: Pick<RDSClient, "send">;
  readonly source: ReaderSource;
  /** Additional host names from the configuration, for replicas that RDS cannot list. */
  readonly fixedHosts: readonly string[];
  readonly time: Pick<Time, "now">;
}

type Finding = Omit<RdsReadersDeps, "time">;

/** How long a list is reused: new readers need minutes to start, a failover takes seconds. */
const REMEMBERED = seconds(10);
/** The longest chain of replicas in RDS for PostgreSQL. */
const LEVELS = 3;
const AVAILABLE = "available";

/** The readers as RDS lists them, at most 10 seconds old. Never rejects. */
export function rdsReaders(deps: RdsReadersDeps): () => Promise<readonly ReaderAddress[]> {
  let known:
    | { readonly until: Instant; readonly list: Promise<readonly ReaderAddress[]> }
    | undefined;
  return () => {
    const now = deps.time.now();
    if (known === undefined || known.until <= now)
      known = { until: plus(now, REMEMBERED), list: listed(deps) };
    return known.list;
  };
}

async function listed(deps: RdsReadersDeps): Promise<readonly ReaderAddress[]> {
  try {
    return await findReaders(deps);
  } catch (error) {
    const server = `readers of ${nameOf(deps.source)}`;
    return [
      {
        server,
        error: fromAwsError(`RDS did not list the ${server}`, "rds:DescribeDBInstances", error),
      },
    ];
  }
}

/** The name of a source in messages. */
export const nameOf = (source: ReaderSource): string =>
  "cluster" in source ? `cluster ${source.cluster}` : `instance ${source.instance}`;

/** The readers as RDS lists them now. Rejects with the SDK's error. */
export const findReaders = (deps: Finding): Promise<readonly ReaderAddress[]> =>
  "cluster" in deps.source
    ? ofCluster(deps, deps.source.cluster)
    : ofInstance(deps, deps.source.instance);

/** Every member except the writer, and the cluster's replicas. */
async function ofCluster(deps: Finding, id: string): Promise<readonly ReaderAddress[]> {
  const { DBClusters = [] } = await deps.client.send(
    new DescribeDBClustersCommand({ DBClusterIdentifier: id }),
  );
  const [{ DBClusterMembers = [], ReadReplicaIdentifiers = [] } = {}] = DBClusters;
  const members = DBClusterMembers.filter(({ IsClusterWriter }) => IsClusterWriter !== true);
  const names = members.flatMap(({ DBInstanceIdentifier: name }) => name ?? []);
  return withReplicas(deps, [...names, ...ReadReplicaIdentifiers], LEVELS);
}

async function ofInstance(deps: Finding, id: string): Promise<readonly ReaderAddress[]> {
  const { DBInstances = [] } = await deps.client.send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: id }),
  );
  return withReplicas(deps, DBInstances.flatMap(replicasOf), LEVELS);
}

/**
 * Instances by name, and their replicas. A name that RDS does not list becomes a reader with an
 * error.
 */
async function withReplicas(
  deps: Finding,
  names: readonly string[],
  levels: number,
): Promise<readonly ReaderAddress[]> {
  const wanted = names.filter((name) => !isGiven(deps, name));
  const here = wanted.filter((name) => !name.startsWith("arn:"));
  if (wanted.length === 0) return [];
  const found = here.length === 0 ? [] : await describe(deps, here);
  const missing = wanted.filter(
    (name) => !found.some(({ DBInstanceIdentifier: id }) => id === name),
  );
  const next = levels > 1 ? found.flatMap(replicasOf) : [];
  return [
    ...found.map(readerOf),
    ...missing.map(notShown),
    ...(await withReplicas(deps, next, levels - 1)),
  ];
}

async function describe(
  { client }: Finding,
  names: readonly string[],
): Promise<readonly DBInstance[]> {
  const { DBInstances = [] } = await client.send(
    new DescribeDBInstancesCommand({
      Filters: [{ Name: "db-instance-id", Values: [...names] }],
    }),
  );
  return DBInstances;
}

/** Names, or ARNs for replicas in another Region. */
const replicasOf = (instance: DBInstance): readonly string[] => [
  ...(instance.ReadReplicaDBInstanceIdentifiers ?? []),
  ...(instance.ReadReplicaDBClusterIdentifiers ?? []),
];

const nameIn = (nameOrArn: string): string => nameOrArn.split(":").at(-1) ?? nameOrArn;

/** An endpoint of RDS begins with the instance's name. */
const isGiven = ({ fixedHosts }: Finding, nameOrArn: string): boolean =>
  fixedHosts.some((host) => host.startsWith(`${nameIn(nameOrArn)}.`));

/**
 * An instance without an endpoint accepts no logins yet, but it may later replay a state from
 * before a latch.
 */
function readerOf(instance: DBInstance): ReaderAddress {
  const { DBInstanceIdentifier: name = "", DBInstanceStatus: status, Endpoint } = instance;
  const { Address: host, Port: port } = Endpoint ?? {};
  if (host !== undefined && port !== undefined)
    return { host, port, ...(status !== undefined && status !== AVAILABLE && { status }) };
  return {
    server: name,
    error: new UnavailableError(
      "Rds",
      `reader ${name} has no endpoint, its status is ${status}; wait until RDS says available, or delete it`,
    ),
  };
}

const notShown = (nameOrArn: string): ReaderAddress => ({
  server: nameIn(nameOrArn),
  error: new ConfigError(
    `reader ${nameOrArn} is not an instance that RDS lists in this Region; name its endpoint in the database's readers`,
  ),
});
