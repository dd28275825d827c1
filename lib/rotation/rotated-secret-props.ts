import type { Duration } from "aws-cdk-lib";
import type { IConnectable, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { ISecret, ReplicaRegion } from "aws-cdk-lib/aws-secretsmanager";
import type { RotationSchedule } from "./rotation-schedule.ts";

/** When a secret is rotated. */
export interface RotationTimesProps {
  /** @default - every 30 days */
  readonly schedule?: RotationSchedule;
  /**
   * How long after the schedule's time a rotation may begin: whole hours, 1 to 24.
   * @default - one hour if the schedule is in hours, otherwise until midnight (UTC)
   */
  readonly window?: Duration;
}

/** An existing secret to rotate, or how Mayfly creates one. */
export interface SecretStorage {
  /**
   * An existing secret, which is rotated in place. Its value does not change before the first
   * rotation. Not a secret that RDS manages (`rds!…`).
   * @default - Mayfly creates a secret; for `master-user`, the administrator's secret is rotated
   */
  readonly secret?: ISecret;
  /**
   * The KMS key that encrypts a new secret.
   * @default - the account's key for Secrets Manager
   */
  readonly encryptionKey?: IKey;
  /**
   * Regions to which a new secret is replicated.
   * @default - none
   */
  readonly replicaRegions?: ReplicaRegion[];
  /**
   * Also require the secret's ARN as `aws:SourceArn` in the function's resource policy, not only
   * the account. It is not verified in an account that Secrets Manager sends it. The function
   * refuses other secrets in any case.
   * @default false
   */
  readonly sourceArn?: boolean;
  /**
   * The instance on which RDS sets the administrator's password.
   * @default - the database's instanceIdentifier
   */
  readonly instanceIdentifier?: string;
  /**
   * The cluster on which RDS sets the administrator's password.
   * @default - the database's clusterIdentifier
   */
  readonly clusterIdentifier?: string;
}

/** The properties of every rotated secret. */
export interface RotatedSecretOptions extends RotationTimesProps, SecretStorage {
  /**
   * `single-user`: the user changes its own password, and the old one stops working at once.
   * `alternating-users`: the administrator sets the passwords of two users alternately, so the
   * former login works until the next rotation. `master-user`: RDS sets the administrator's
   * password.
   */
  readonly strategy: "single-user" | "alternating-users" | "master-user";
  /**
   * The user of `single-user`: 1 to 63 bytes, not starting with `mf_` or `pg_`. Or the
   * administrator of `master-user`.
   * @default - none; required for these two strategies
   */
  readonly username?: string;
  /**
   * The two users of `alternating-users`.
   * @default - none; required for `alternating-users`
   */
  readonly usernames?: string[];
  /**
   * The NOLOGIN role whose privileges the users have. The two users of `alternating-users` act as
   * this role, so it owns the objects that they create.
   * @default - none; required for `alternating-users`
   */
  readonly ownerGroup?: string;
  /**
   * Printable ASCII characters that no password contains.
   * @default - all but letters, digits, `-` and `_`
   */
  readonly excludeCharacters?: string;
  /**
   * Number of characters, 20 to 128; at most 41 for the administrator of a cluster.
   * @default 32
   */
  readonly passwordLength?: number;
  /**
   * Statements that a new login must be able to run before it becomes the current one. Each runs in
   * a transaction that is rolled back.
   * @default - none: the new login must be able to log in
   */
  readonly testQueries?: string[];
  /**
   * Rotate when a deployment creates or changes the schedule.
   * @default true
   */
  readonly rotateImmediatelyOnUpdate?: boolean;
}

/** Properties for `DynamicDatabase.addRotatedSecret`. The database gives the others. */
export interface AddRotatedSecretProps extends RotatedSecretOptions {
  /**
   * The dynamic role whose privileges the users have; instead of `ownerGroup`. Each user owns the
   * objects that it creates: two users that create tables need an `ownerGroup`.
   * @default - the privileges of `ownerGroup`
   */
  readonly role?: string;
}

/**
 * Properties of a RotatedSecret without a DynamicDatabase. Its users must exist. A new secret gets
 * a random password that no user has: put the user's password into it, then rotate.
 */
export interface RotatedSecretProps extends RotatedSecretOptions, SecretLocation {
  /**
   * PEM text of the roots to trust.
   * @default - the RDS roots of the stack's Region
   */
  readonly ca?: string;
  /**
   * How the function connects. `plaintext` is only for a server without TLS.
   * @default "verify-full"
   */
  readonly tls?: "verify-full" | "plaintext";
}

/** The server of a rotated secret, and the network from which the function reaches it. */
export interface SecretLocation {
  /** Name of the database in logs, 1 to 32 of `[a-z0-9-]`. */
  readonly database: string;
  /** Name of the secret in logs, 1 to 16 of `[a-z0-9-]`. */
  readonly name: string;
  /** Host name of the secret's server. */
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  readonly vpc: IVpc;
  /** @default - the VPC's private subnets */
  readonly vpcSubnets?: SubnetSelection;
  /** The security groups that must let the function in, e.g. of the RDS instance. */
  readonly databaseConnections: IConnectable;
  /**
   * The `dbname` of a new secret.
   * @default "postgres"
   */
  readonly databaseName?: string;
  /**
   * The administrator's secret, an AWS database secret.
   * @default - none; required for `alternating-users`
   */
  readonly adminSecret?: ISecret;
  /**
   * The RDS instance of `host`. `master-user` needs it or the cluster.
   * @default - RDS is not asked
   */
  readonly instanceIdentifier?: string;
  /**
   * The Aurora or Multi-AZ DB cluster whose writer is `host`.
   * @default - RDS is not asked
   */
  readonly clusterIdentifier?: string;
  /**
   * Folder of the built functions.
   * @default - the folder that `npm run build` writes; in the package, the bundles that it contains
   */
  readonly assets?: string;
}
