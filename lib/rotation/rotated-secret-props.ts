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
   * How long after the schedule's time a rotation may begin: whole hours, up to a day.
   * @default - an hour for a schedule of hours, else until midnight (UTC)
   */
  readonly window?: Duration;
}

/** Which secret is rotated, or how the one that is made is kept. */
export interface SecretStorage {
  /**
   * A secret that exists, to rotate in place: none is made, and nothing of it is overwritten until
   * its first rotation. Not one that RDS manages (`rds!…`).
   * @default - one is made; for `master-user`, the administrator's
   */
  readonly secret?: ISecret;
  /**
   * What encrypts the secret that is made.
   * @default - the account's key for Secrets Manager
   */
  readonly encryptionKey?: IKey;
  /**
   * Where the secret that is made is replicated to.
   * @default - nowhere
   */
  readonly replicaRegions?: ReplicaRegion[];
  /**
   * Name the secret in the function's own policy, as `aws:SourceArn`, besides the account. Whether
   * Secrets Manager says it has not been seen in an account yet. The function refuses other secrets
   * in either case.
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

/** What every rotated secret may have, wherever it is. */
export interface RotatedSecretOptions extends RotationTimesProps, SecretStorage {
  /**
   * `single-user`: the user changes its own password. `alternating-users`: two users take turns, so
   * that the former password works until the next rotation; the administrator sets them.
   * `master-user`: RDS sets the administrator's.
   */
  readonly strategy: "single-user" | "alternating-users" | "master-user";
  /**
   * The user of `single-user`, 1 to 63 bytes, no `mf_` or `pg_` in front; the administrator of
   * `master-user`.
   * @default - none; both of them need it
   */
  readonly username?: string;
  /**
   * The two users of `alternating-users`.
   * @default - none; `alternating-users` needs them
   */
  readonly usernames?: string[];
  /**
   * The NOLOGIN role whose privileges the users have. `alternating-users` act as it, so that what
   * one makes is the other's too.
   * @default - none; `alternating-users` needs one
   */
  readonly ownerGroup?: string;
  /**
   * Printable ASCII that no password holds.
   * @default - all but letters, digits, `-` and `_`
   */
  readonly excludeCharacters?: string;
  /**
   * Characters, 20 to 128; for the administrator of a cluster, to 41.
   * @default 32
   */
  readonly passwordLength?: number;
  /**
   * What a new login must be able to run, each in a transaction that is rolled back.
   * @default - that it can log in
   */
  readonly testQueries?: string[];
  /**
   * Rotate when the schedule is made, and whenever it changes.
   * @default true
   */
  readonly rotateImmediatelyOnUpdate?: boolean;
}

/** What `DynamicDatabase.addRotatedSecret` takes. Everything else is the database's. */
export interface AddRotatedSecretProps extends RotatedSecretOptions {
  /**
   * The dynamic role whose privileges the users have; not together with `ownerGroup`. Nobody acts
   * as its group: two users who make tables need an `ownerGroup`.
   * @default - ownerGroup
   */
  readonly role?: string;
}

/**
 * Properties of a RotatedSecret that stands alone. Its users exist: nobody makes them. Nor does anybody
 * set the random password of a secret that is made: put theirs into it, and rotate.
 */
export interface RotatedSecretProps extends RotatedSecretOptions, SecretLocation {
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
}

/** Where a rotated secret's server is, and from where it is reached. */
export interface SecretLocation {
  /** Name of the database in logs, 1 to 32 of `[a-z0-9-]`. */
  readonly database: string;
  /** Name of the secret in logs, 1 to 16 of `[a-z0-9-]`. */
  readonly name: string;
  /** Where the secret's server is. */
  readonly host: string;
  /** @default 5432 */
  readonly port?: number;
  readonly vpc: IVpc;
  /** @default - the VPC's private subnets */
  readonly vpcSubnets?: SubnetSelection;
  /** Who must let the function in, e.g. the RDS instance. */
  readonly databaseConnections: IConnectable;
  /**
   * What the secret that is made names as `dbname`.
   * @default "postgres"
   */
  readonly databaseName?: string;
  /**
   * The administrator's secret, an AWS database secret.
   * @default - none; `alternating-users` needs it
   */
  readonly adminSecret?: ISecret;
  /**
   * The RDS instance that `host` is; `master-user` needs it, or the cluster.
   * @default - RDS is not asked
   */
  readonly instanceIdentifier?: string;
  /**
   * The Aurora or Multi-AZ DB cluster that `host` is the writer of.
   * @default - RDS is not asked
   */
  readonly clusterIdentifier?: string;
  /**
   * Folder of the built functions.
   * @default - where `npm run build` leaves them
   */
  readonly assets?: string;
}
