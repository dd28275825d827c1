import type { Duration } from "aws-cdk-lib";
import type { IConnectable, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { ParsedSettings, ParsedTrust } from "../../config/config.ts";
import type { Privileges } from "../../core/provisioning/privilege-kinds.ts";
import type { RotationTimes } from "../../core/rotation/schedule.ts";
import type { RotationTimesProps } from "../rotation/rotated-secret-props.ts";

/** A server that replays the writer and takes logins of its own. */
export interface DatabaseReader {
  /** May be a token: a read replica of the same app. */
  readonly host: string;
  /** @default - the writer's */
  readonly port?: number;
}

/** Where a database is, and from where it is reached. */
export interface DatabaseLocation {
  /** Name of the database in lease ids, 1 to 32 of `[a-z0-9-]`. */
  readonly database: string;
  readonly vpc: IVpc;
  /** @default - the VPC's private subnets */
  readonly vpcSubnets?: SubnetSelection;
  /** Who must let the functions in, e.g. the RDS instance. */
  readonly databaseConnections: IConnectable;
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  /**
   * What tells this server from a copy of it: for RDS its `DbiResourceId`, for Aurora its
   * `DbClusterResourceId`. When it changes, every lease is revoked.
   * @default - host and port, which a restored copy under the old name has as well
   */
  readonly serverId?: string;
  /**
   * Readers that are checked at each revocation, besides those that RDS lists.
   * @default - none
   */
  readonly readers?: DatabaseReader[];
  /**
   * Who must let the functions in at the readers, e.g. a read replica.
   * @default - databaseConnections
   */
  readonly readerConnections?: IConnectable[];
  /**
   * The Aurora or Multi-AZ DB cluster that `host` is the writer of: RDS is asked for its readers.
   * @default - RDS is not asked
   */
  readonly clusterIdentifier?: string;
  /**
   * The RDS instance that `host` is: RDS is asked for its read replicas.
   * @default - RDS is not asked
   */
  readonly instanceIdentifier?: string;
  /** The administrator's secret, an AWS database secret. Read by the provisioner alone. */
  readonly adminSecret: ISecret;
  /**
   * Leave out the policies by which an alias refuses everybody but its consumer, for a Region that has
   * no `AWS::Lambda::ResourcePolicy`. Then IAM policies alone say who may ask as whom.
   * @default false
   */
  readonly aliasUnsealed?: boolean;
  /**
   * Folder of the built functions.
   * @default - where `npm run build` leaves them
   */
  readonly assets?: string;
  /**
   * Make the grants in four nested stacks, for more than a hundred of them: each is three resources,
   * and a stack has 500. Grants that are deployed cannot move between stacks.
   * @default false
   */
  readonly nestGrants?: boolean;
}

/** What a configuration says about a database, checked. */
export interface CheckedDatabase {
  readonly settings: ParsedSettings & ParsedTrust;
  readonly loginRotation: RotationTimes;
}

/** Properties of a DynamicDatabase. */
export interface DynamicDatabaseProps extends DatabaseLocation {
  /** The application databases in which roles work; the first is the one credentials name. */
  readonly databases: string[];
  /** Who owns the tables; the administrator must be a member while anything is to be granted. */
  readonly owner: string;
  /**
   * PEM text of the roots to trust.
   * @default - the RDS roots of the stack's Region
   */
  readonly ca?: string;
  /**
   * `plaintext` only for a server without TLS.
   * @default "verify-full"
   */
  readonly tls?: "verify-full" | "plaintext";
  /**
   * Four of `[a-z2-7]`, part of every PostgreSQL role's name; never change it.
   * @default - derived from the stack's name and the construct's path
   */
  readonly tag?: string;
  /**
   * How many issuer roles share the leases, 1 to 1,024; only ever raise it.
   * @default 64
   */
  readonly shards?: number;
  /**
   * The database that Mayfly makes for itself, where its roles are made and nobody else may connect: 1 to
   * 63 of `[a-z0-9_]`. Never change it.
   * @default "mayfly"
   */
  readonly maintenanceDatabase?: string;
  /**
   * When the passwords of Mayfly's own logins are rotated: the issuer's two, and the janitor's.
   * @default - every 30 days
   */
  readonly loginRotation?: RotationTimesProps;
  /**
   * Bound connections by reserved concurrency, 10 executions in all; new accounts may lack the quota.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
}

/** Properties of a dynamic role. Privileges name `schema.*` or `schema.table`; one is needed. */
export interface DynamicRoleProps extends Privileges {
  /** Default life of a lease, at least 10 seconds. */
  readonly ttl: Duration;
  /** Longest life of a lease, renewals included; at most 32 days. */
  readonly maxTtl: Duration;
  /**
   * Deploy a role that writes although its leases may create objects somewhere in its databases.
   * @default false
   */
  readonly allowCreate?: boolean;
  /**
   * Most live leases at one time, all consumers together.
   * @default 1000
   */
  readonly maxLeases?: number;
  /**
   * Most live leases of one consumer.
   * @default - as maxLeases
   */
  readonly maxLeasesPerConsumer?: number;
  /**
   * `CONNECTION LIMIT` of each lease.
   * @default 20
   */
  readonly connectionLimit?: number;
}
