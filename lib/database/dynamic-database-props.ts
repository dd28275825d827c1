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

/** The address of a database, and the network from which the functions reach it. */
export interface DatabaseLocation {
  /** Name of the database in lease ids, 1 to 32 of `[a-z0-9-]`. */
  readonly database: string;
  readonly vpc: IVpc;
  /** @default - the VPC's private subnets */
  readonly vpcSubnets?: SubnetSelection;
  /** The security groups that must let the functions in, e.g. of the RDS instance. */
  readonly databaseConnections: IConnectable;
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  /**
   * An id that a copy of this server does not have: for RDS its `DbiResourceId`, for Aurora its
   * `DbClusterResourceId`. When it changes, every lease is revoked.
   * @default - host and port; a restored copy under the old name has the same
   */
  readonly serverId?: string;
  /**
   * Readers to check at each revocation, in addition to those that RDS lists.
   * @default - none
   */
  readonly readers?: DatabaseReader[];
  /**
   * The security groups that must let the functions in at the readers, e.g. of a read replica.
   * @default - databaseConnections
   */
  readonly readerConnections?: IConnectable[];
  /**
   * The Aurora or Multi-AZ DB cluster whose writer is `host`. The functions list its readers by RDS.
   * @default - no readers are listed
   */
  readonly clusterIdentifier?: string;
  /**
   * The RDS instance of `host`. The functions list its read replicas by RDS.
   * @default - no read replicas are listed
   */
  readonly instanceIdentifier?: string;
  /** The administrator's secret, an AWS database secret. Only the provisioner reads it. */
  readonly adminSecret: ISecret;
  /**
   * Make aliases without the policy that refuses everybody but the consumer, for a Region without
   * `AWS::Lambda::ResourcePolicy`. Then only IAM policies decide who may use a consumer's alias.
   * @default false
   */
  readonly aliasUnsealed?: boolean;
  /**
   * Folder of the built functions.
   * @default - the folder that `npm run build` writes
   */
  readonly assets?: string;
  /**
   * Make the grants in four nested stacks. Use this for more than a hundred grants: each has three
   * resources, and a stack has 500 at most. A deployed grant cannot move between stacks.
   * @default false
   */
  readonly nestGrants?: boolean;
}

/** A database of a configuration, after the checks. */
export interface CheckedDatabase {
  readonly settings: ParsedSettings & ParsedTrust;
  readonly loginRotation: RotationTimes;
}

/** Properties of a DynamicDatabase. */
export interface DynamicDatabaseProps extends DatabaseLocation {
  /** The application databases in which roles work. Credentials name the first. */
  readonly databases: string[];
  /** The role that owns the tables. The administrator must be a member until all is granted. */
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
   * The database that Mayfly makes for itself; nobody else may connect to it. 1 to 63 of `[a-z0-9_]`.
   * Never change it.
   * @default "mayfly"
   */
  readonly maintenanceDatabase?: string;
  /**
   * When the passwords of Mayfly's own logins are rotated: the issuer's two, and the janitor's.
   * @default - every 30 days
   */
  readonly loginRotation?: RotationTimesProps;
  /**
   * Limit connections by reserved concurrency, 10 executions in all. A new account's quota may be too
   * small for that.
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
   * Allow a role that writes, even if its leases may create objects in its databases.
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
