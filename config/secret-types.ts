/** When a secret is rotated. */
export interface RotationTimesConfig {
  /**
   * A length, e.g. `"30d"` or `"12h"`, at least `"4h"`; or `"cron(0 4 1 * ? *)"`, in UTC and on the hour.
   * @default "30d"
   */
  readonly schedule?: string;
  /**
   * How long after the schedule's time a rotation may begin, e.g. `"2h"`; whole hours.
   * @default - one hour for a schedule of hours, else until midnight (UTC)
   */
  readonly window?: string;
}

/** A Secrets Manager secret whose password is rotated. */
export type SecretConfig =
  | (SingleUserConfig & AppSecretConfig)
  | (AlternatingUsersConfig & AppSecretConfig)
  | (MasterUserConfig & RotationConfig);

/** One user, who changes its own password. The old one ends with the rotation. */
export interface SingleUserConfig {
  readonly strategy: "single-user";
  /** The user, which is made unless it exists. 1 to 63 bytes, no `mf_` or `pg_` in front. */
  readonly username: string;
}

/** Two users who take turns: the former password works until the next rotation. */
export interface AlternatingUsersConfig {
  readonly strategy: "alternating-users";
  /** The two users, which are made unless they exist. */
  readonly usernames: readonly [string, string];
}

/** The administrator's own secret: RDS sets the password. For a sandbox, an instance or a cluster. */
export interface MasterUserConfig {
  readonly strategy: "master-user";
  /**
   * The administrator who is in the secret.
   * @default - a sandbox's; a server that exists needs it
   */
  readonly username?: string;
}

/** Whose privileges the users have; one of the two, but for one user of an existing secret. */
export interface UsersGroupConfig {
  /** A dynamic role of this database. What a user makes is its own. */
  readonly role?: string;
  /** A NOLOGIN role of yours. What two users make is its own: they act as it. */
  readonly ownerGroup?: string;
}

/** What every rotation has. */
export interface RotationConfig extends RotationTimesConfig {
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
   * What a new login must be able to run before it becomes the current one.
   * @default - that it can log in
   */
  readonly testQueries?: readonly string[];
}

/** What an application's secret has. */
export interface AppSecretConfig extends RotationConfig, UsersGroupConfig {
  /**
   * Complete ARN of a secret that exists, to rotate where it is. Not in a sandbox, not one that RDS
   * manages (`rds!…`), and not together with `kmsKeyArn` and `replicaRegions`.
   * @default - one is made
   */
  readonly secretArn?: string;
  /**
   * ARN of the KMS key that encrypts it.
   * @default - the account's key for Secrets Manager
   */
  readonly kmsKeyArn?: string;
  /**
   * Regions to replicate it to.
   * @default - none
   */
  readonly replicaRegions?: readonly string[];
}
