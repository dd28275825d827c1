/**
 * How a secret is rotated; AWS's words for the first two.
 *
 * - `single-user`: the user changes its own password.
 * - `alternating-users`: two users of one group take turns; the administrator sets the password
 *   of the one that nobody uses.
 * - `master-user`: RDS sets the password, whatever it was.
 * - `issuer-login`: two logins take turns, each changing its own password with `AWSPREVIOUS`.
 */
export type RotationStrategy = "single-user" | "alternating-users" | "master-user" | "issuer-login";

/** Of what new passwords are made: printable ASCII without these. */
export interface PasswordPolicy {
  /** Characters; 20 to 128. RDS takes no more than 41 for the master of a cluster. */
  readonly length: number;
  readonly excludeCharacters: string;
}

/** Letters, digits, `-` and `_`: whole in a URL, a shell and a connection string. */
export const DEFAULT_PASSWORD_POLICY: PasswordPolicy = {
  length: 32,
  excludeCharacters: " !\"#$%&'()*+,./:;<=>?@[\\]^`{|}~",
};

/**
 * What a rotation function was deployed with: `rotation.json` beside the bundle. It holds no secret,
 * and nothing that CloudFormation resolves later.
 */
export interface RotationSettings {
  /** The database's name in the configuration. */
  readonly database: string;
  /** Of the database whose provisioner keeps the users; absent when nobody does. */
  readonly tag?: string;
  /** The secret's name in the configuration. */
  readonly secret: string;
  readonly strategy: RotationStrategy;
  /** Who may be in the secret: two for `alternating-users` and `issuer-login`, else one. */
  readonly usernames: readonly string[];
  /** For `alternating-users`: the role both belong to. */
  readonly group?: string;
  /**
   * Both act as it, so that what one makes is the other's too: it is their owner group. Never the
   * group of a dynamic role, whose leases would own that as well.
   */
  readonly actsAsGroup?: boolean;
  /** Who owns the application's tables; absent where the secret's database is not Mayfly's. */
  readonly owner?: string;
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  readonly password: PasswordPolicy;
  /** What a new login must be able to run, besides; each in a transaction that is rolled back. */
  readonly testQueries: readonly string[];
}

/** A user that the provisioner makes from a rotated secret. */
export interface RotatedUser {
  readonly strategy: "single-user" | "alternating-users";
  readonly usernames: readonly string[];
  /** The NOLOGIN role that holds the privileges, of which every one of them is a member. */
  readonly group: string;
}
