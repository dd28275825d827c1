import type { Duration } from "aws-cdk-lib";
import type { IConnectable, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { ParsedSettings, ParsedTrust } from "../../config/config.ts";
import type { Privileges } from "../../core/provisioning/privilege-kinds.ts";
import type { RotationTimes } from "../../core/rotation/schedule.ts";
import type { RotationTimesProps } from "../rotation/rotated-secret-props.ts";

/** A server that replays the writer and takes logins of its own. */
export interface DatabaseReader {
  /** Host name. May be a token, e.g. the endpoint of a read replica in the same app. */
  readonly host: string;
  /** @default - the writer's port */
  readonly port?: number;
}

/** The address of a database, and the network from which the functions reach it. */
export interface DatabaseLocation {
  /** Name of the database in lease ids: 1 to 32 of `[a-z0-9-]`, a letter first. */
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
   * An id that a copy of this server does not have: the `DbiResourceId` of an RDS instance, the
   * `DbClusterResourceId` of an Aurora cluster. When it changes, Mayfly revokes every lease.
   * @default - host and port; a copy restored under the old host name has the same id
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
   * The Aurora or Multi-AZ DB cluster whose writer is `host`. The functions ask RDS for its
   * readers.
   * @default - no readers are listed
   */
  readonly clusterIdentifier?: string;
  /**
   * The RDS instance of `host`. The functions ask RDS for its read replicas.
   * @default - no read replicas are listed
   */
  readonly instanceIdentifier?: string;
  /**
   * The administrator's secret: JSON with `username` and `password`, as AWS stores database
   * secrets. The provisioner reads it, and so do the rotations that set other users' passwords.
   */
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
  /**
   * The application databases in which the roles work, at least one. Credentials name the first.
   */
  readonly databases: string[];
  /**
   * The PostgreSQL role that owns the tables. The administrator must be a member of it as long as
   * the groups lack privileges.
   */
  readonly owner: string;
  /**
   * PEM text of the roots to trust.
   * @default - the RDS roots of the stack's Region
   */
  readonly ca?: string;
  /**
   * How the functions connect. `plaintext` is only for a server without TLS.
   * @default "verify-full"
   */
  readonly tls?: "verify-full" | "plaintext";
  /**
   * Four of `[a-z2-7]`, part of the name of every PostgreSQL role that Mayfly creates. Never change
   * it.
   * @default - derived from the stack's name and the construct's path
   */
  readonly tag?: string;
  /**
   * How many issuer roles share the leases, 1 to 1,024. Never lower it.
   * @default 64
   */
  readonly shards?: number;
  /**
   * The database that Mayfly makes for itself; nobody else may connect to it. 1 to 63 of
   * `[a-z0-9_]`. Never change it.
   * @default "mayfly"
   */
  readonly maintenanceDatabase?: string;
  /**
   * PostgreSQL users whose sessions each sweep notes, to find out who still uses them: 1 to 20.
   * @default - none
   */
  readonly watch?: string[];
  /**
   * When the passwords of Mayfly's own logins are rotated: the two issuer logins and the janitor.
   * @default - every 30 days
   */
  readonly loginRotation?: RotationTimesProps;
  /**
   * Limit connections by reserved concurrency, 10 executions in all. A new account's quota may be
   * too small for that.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
}

/**
 * Properties of a dynamic role. Each privilege is a list of `schema.*` or `schema.table`; at least
 * one privilege is required.
 */
export interface DynamicRoleProps extends Privileges {
  /** Default life of a lease: at least 10 seconds, at most `maxTtl`. */
  readonly ttl: Duration;
  /** Longest life of a lease, renewals included; at most 32 days. */
  readonly maxTtl: Duration;
  /**
   * Deploy the role even if it can write and its leases can create objects in its databases.
   * @default false
   */
  readonly allowCreate?: boolean;
  /**
   * Maximum of live leases at one time, of all consumers together, 1 to 100,000.
   * @default 1000
   */
  readonly maxLeases?: number;
  /**
   * Maximum of live leases of one consumer, 1 to `maxLeases`.
   * @default - as maxLeases
   */
  readonly maxLeasesPerConsumer?: number;
  /**
   * `CONNECTION LIMIT` of each lease's user, 1 to 10,000.
   * @default 20
   */
  readonly connectionLimit?: number;
}
