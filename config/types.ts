import type { Privileges } from "../core/provisioning/plan.ts";
import type { RotationTimesConfig, SecretConfig } from "./secret-types.ts";

/** What a user writes in `mayfly.config.ts`. */
export interface MayflyConfig {
  /** Database name (1 to 32 of `[a-z0-9-]`) to what Mayfly does there. */
  readonly databases: Readonly<Record<string, DatabaseConfig>>;
  /** Consumer name (1 to 16 of `[a-z0-9-]`) to who it is and what it may ask for. */
  readonly consumers: Readonly<Record<string, ConsumerConfig>>;
  /**
   * Alarms for each database, about $3 a month.
   * @default - none
   */
  readonly alarms?: AlarmsConfig;
  /**
   * Every audit line as an event on a bus.
   * @default - none
   */
  readonly auditEvents?: AuditEventsConfig;
  /**
   * A CloudWatch dashboard for each database, $3 a month.
   * @default false
   */
  readonly dashboard?: boolean;
}

/** Who is told when a promise is broken. */
export interface AlarmsConfig {
  /** ARN of an SNS topic of the stack's Region. */
  readonly topicArn: string;
}

/** Where audit events go. */
export interface AuditEventsConfig {
  /** ARN of an EventBridge bus of the stack's Region. */
  readonly busArn: string;
}

/** One database: where it is, and which dynamic roles it has. */
export type DatabaseConfig = (SandboxTarget | HostTarget) & DatabaseSettings;

/** The stack makes a VPC and an RDS PostgreSQL with a seeded table, to try Mayfly on. */
export interface SandboxTarget {
  readonly sandbox: true;
}

/** A PostgreSQL server that exists. */
export interface HostTarget {
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  /**
   * PEM text of the roots to trust.
   * @default - the RDS roots of the stack's Region
   */
  readonly ca?: string;
  /**
   * `plaintext` sends every password through the network as the driver likes.
   * @default "verify-full"
   */
  readonly tls?: "verify-full" | "plaintext";
  /** Name or complete ARN of the administrator's secret, an AWS database secret. */
  readonly adminSecret: string;
  /**
   * What tells this server from a copy of it, e.g. its `DbiResourceId`; when it changes, every lease
   * is revoked.
   * @default - host and port
   */
  readonly serverId?: string;
  /**
   * Servers that replay this one and take logins, each a name or `name:port`; checked at each
   * revocation, besides those that RDS lists.
   * @default - none
   */
  readonly readers?: readonly string[];
  /**
   * Identifier of the Aurora or Multi-AZ DB cluster whose writer this is: RDS is asked for its readers.
   * @default - RDS is not asked
   */
  readonly cluster?: string;
  /**
   * Identifier of the RDS instance that this is: RDS is asked for its read replicas.
   * @default - RDS is not asked
   */
  readonly instance?: string;
  /** Where the functions run. */
  readonly vpc: VpcConfig;
}

/** A VPC that exists, named whole so that synthesis asks AWS nothing. */
export interface VpcConfig {
  readonly vpcId: string;
  readonly availabilityZones: readonly string[];
  /** One or more per zone, in the order of the zones. */
  readonly privateSubnetIds: readonly string[];
  /** The database's security group, in which the functions are let in. */
  readonly securityGroupId: string;
}

/** What every database has, wherever it is. */
export interface DatabaseSettings {
  /** The application databases in which roles work; the first is the one credentials name. */
  readonly databases: readonly string[];
  /** Who owns the tables; the administrator must be a member while anything is to be granted. */
  readonly owner: string;
  /** Role name (1 to 14 of `[a-z0-9-]`) to what it may do and for how long. */
  readonly roles: Readonly<Record<string, RoleConfig>>;
  /**
   * Secret name (1 to 16 of `[a-z0-9-]`) to a Secrets Manager secret whose password is rotated, for
   * applications that cannot ask.
   * @default - none
   */
  readonly secrets?: Readonly<Record<string, SecretConfig>>;
  /**
   * When the passwords of Mayfly's own logins are rotated: the issuer's two, and the janitor's.
   * @default - every 30 days
   */
  readonly loginRotation?: RotationTimesConfig;
  /**
   * Four of `[a-z2-7]`, part of every PostgreSQL role's name; never change it.
   * @default - derived from the construct's address
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
   * Bound connections by reserved concurrency; new accounts may lack the quota.
   * @default true
   */
  readonly reserveConcurrency?: boolean;
}

/** A dynamic role. Privileges name `schema.*` or `schema.table`; at least one is needed. */
export interface RoleConfig extends Privileges {
  /** Default life of a lease, e.g. `"1h"`; at least 10 seconds. */
  readonly ttl: string;
  /** Longest life of a lease, renewals included; at most 32 days. */
  readonly maxTtl: string;
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

/** A workload, its dynamic roles and its secrets. */
export type ConsumerConfig = (
  | {
      /** A role of the stack's account. */
      readonly roleArn: string;
    }
  | {
      readonly newRole: {
        /** `account`, or a service principal such as `ecs-tasks.amazonaws.com`. */
        readonly assumedBy: string;
      };
    }
  | {
      /**
       * The stack makes a function in the VPC of the sandbox that the roles are of: it asks for the
       * first of them and returns rows.
       */
      readonly sandbox: true;
    }
) & {
  /**
   * What it may ask for, each written `database/role`.
   * @default - nothing, where there are secrets
   */
  readonly roles?: readonly string[];
  /**
   * Rotated secrets that it may read, each written `database/secret`.
   * @default - none
   */
  readonly secrets?: readonly string[];
};
