import type { Duration } from "aws-cdk-lib";
import type { IConnectable, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { Privileges } from "../core/provisioning/plan.ts";

/** Properties of a DynamicDatabase. */
export interface DynamicDatabaseProps {
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
  /** The administrator's secret, an AWS database secret. Read by the provisioner alone. */
  readonly adminSecret: ISecret;
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
   * How many issuer roles share the leases, 1 to 100; only ever raise it.
   * @default 16
   */
  readonly shards?: number;
  /**
   * Bound connections by reserved concurrency, 10 executions in all; new accounts may lack the quota.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
  /**
   * Folder of the built functions.
   * @default - where `npm run build` leaves them
   */
  readonly assets?: string;
}

/** Properties of a dynamic role. Privileges name `schema.*` or `schema.table`; one is needed. */
export interface DynamicRoleProps extends Privileges {
  /** Default life of a lease, at least 10 seconds. */
  readonly ttl: Duration;
  /** Longest life of a lease, renewals included; at most 32 days. */
  readonly maxTtl: Duration;
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
