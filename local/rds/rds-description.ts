import { AwsError } from "../http/aws-error.ts";
import type { EmbeddedPostgres } from "../postgres/postgres.ts";
import type { MasterPassword } from "./rds-password.ts";

/** A DB instance: its server, its identifier and its settings. */
export interface Instance {
  readonly id: string;
  readonly arn: string;
  readonly resourceId: string;
  readonly dbname: string;
  readonly server: EmbeddedPostgres;
  readonly createdAt: Date;
  readonly password: MasterPassword;
  /** Somebody else started it, and stops it. */
  readonly isAdopted?: boolean;
}

/** A DB cluster: its writer and its readers. */
export interface Cluster {
  readonly id: string;
  readonly arn: string;
  readonly writerId: string;
  readonly readerIds: readonly string[];
}

/** The input of DescribeDBInstances. */
export interface DescribeInstances {
  readonly DBInstanceIdentifier?: string;
  /** `Filters` as the awsQuery protocol sends them. Only one is allowed here. */
  readonly [filter: `Filters.Filter.${string}`]: string;
}

/** The names in a filter by identifier. Undefined if there is no filter. */
export function filterOf(input: DescribeInstances): readonly string[] | undefined {
  const fields = Object.entries(input).filter(([key]) => key.startsWith("Filters."));
  if (fields.length === 0) return undefined;
  const name = input["Filters.Filter.1.Name"];
  if (name !== "db-instance-id" || input["Filters.Filter.2.Name"] !== undefined)
    throw new AwsError(
      "InvalidParameterValue",
      `the local runner filters DB instances by db-instance-id alone; got "${name}"`,
    );
  return fields.filter(([key]) => key.includes(".Values.")).map(([, value]) => value);
}

interface Relations {
  readonly replicas?: readonly string[];
  readonly source?: string | undefined;
}

/** The answer of DescribeDBInstances for one instance. */
export const described = (
  { id, arn, resourceId, dbname, server, createdAt }: Omit<Instance, "password">,
  { replicas = [], source }: Relations,
) => ({
  DBInstanceIdentifier: id,
  DbiResourceId: resourceId,
  DBInstanceArn: arn,
  DBInstanceStatus: "available",
  Engine: "postgres",
  DBName: dbname,
  MasterUsername: server.masterUsername,
  InstanceCreateTime: createdAt,
  Endpoint: { Address: server.host, Port: server.port },
  ReadReplicaDBInstanceIdentifiers: { ReadReplicaDBInstanceIdentifier: replicas },
  ReadReplicaSourceDBInstanceIdentifier: source,
});

/** The answer of DescribeDBClusters for one cluster. */
export const describedCluster = ({ id, arn, writerId, readerIds }: Cluster) => ({
  DBClusterIdentifier: id,
  DBClusterArn: arn,
  Status: "available",
  Engine: "aurora-postgresql",
  DBClusterMembers: {
    DBClusterMember: [
      { DBInstanceIdentifier: writerId, IsClusterWriter: true },
      ...readerIds.map((each) => ({ DBInstanceIdentifier: each, IsClusterWriter: false })),
    ],
  },
});
