/**
 * How a secret is rotated. The first two are AWS's terms.
 *
 * - `single-user`: the user changes its own password.
 * - `alternating-users`: two users of one group, used alternately; the administrator sets the
 *   password of the unused one.
 * - `master-user`: RDS sets the password, whatever it was.
 * - `issuer-login`: two logins, used alternately; each changes its own password with `AWSPREVIOUS`.
 */
export type RotationStrategy = "single-user" | "alternating-users" | "master-user" | "issuer-login";

/** How new passwords are made: printable ASCII without `excludeCharacters`. */
export interface PasswordPolicy {
  /** Number of characters, 20 to 128. RDS accepts at most 41 for the master user of a cluster. */
  readonly length: number;
  readonly excludeCharacters: string;
}

/** Letters, digits, `-` and `_`: need no quoting in a URL, a shell or a connection string. */
export const DEFAULT_PASSWORD_POLICY: PasswordPolicy = {
  length: 32,
  excludeCharacters: " !\"#$%&'()*+,./:;<=>?@[\\]^`{|}~",
};

/**
 * The deployment data of a rotation function: `rotation.json` beside the bundle. It holds no secret
 * and no value that CloudFormation resolves later.
 */
export interface RotationSettings {
  /** The database's name in the configuration. */
  readonly database: string;
  /** The tag of the database whose provisioner manages the users. Undefined if none does. */
  readonly tag?: string;
  /** The secret's name in the configuration. */
  readonly secret: string;
  readonly strategy: RotationStrategy;
  /**
   * The usernames that the secret may hold: two for `alternating-users` and `issuer-login`,
   * otherwise one.
   */
  readonly usernames: readonly string[];
  /** For `alternating-users`: the group of both users. */
  readonly group?: string;
  /**
   * Both users act as the group, so that each can use the other's objects: it is their owner group.
   * Never the group of a dynamic role, whose leases would own the objects too.
   */
  readonly actsAsGroup?: boolean;
  /**
   * The role that owns the application's tables. Undefined if Mayfly does not manage the secret's
   * database.
   */
  readonly owner?: string;
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  readonly password: PasswordPolicy;
  /** Queries that a new login must be able to run, each in a transaction that is rolled back. */
  readonly testQueries: readonly string[];
}

/** A user that the provisioner creates from a rotated secret. */
export interface RotatedUser {
  readonly strategy: "single-user" | "alternating-users";
  readonly usernames: readonly string[];
  /** The NOLOGIN role that has the privileges. Every user is a member. */
  readonly group: string;
}
