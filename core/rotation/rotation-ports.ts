import type { Secret } from "../secret.ts";
import type { SecretObject, SecretVersion, VersionSelector } from "../secret-store.ts";

/** A secret without its values. */
export interface SecretDescription {
  readonly arn: string;
  /** Undefined before rotation is configured for the first time. */
  readonly rotationEnabled?: boolean;
  /** The AWS service that manages the secret, e.g. `rds`. */
  readonly owningService?: string;
  readonly tags: ReadonlyMap<string, string>;
  /** The staging labels, by version id. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

/** The Secrets Manager calls of a rotation function. */
export interface RotationSecrets {
  describe(id: string): Promise<SecretDescription>;
  /** Undefined if there is no such version, or it has no value yet. */
  getSecret(id: string, version: VersionSelector): Promise<SecretVersion | undefined>;
  /** Write the value of the pending version. Writing the same value again changes nothing. */
  putPending(id: string, value: SecretObject, tokens: PendingTokens): Promise<void>;
  /** Move a label from one version to another. */
  moveLabel(id: string, label: string, move: LabelMove): Promise<void>;
}

export interface PendingTokens {
  /** The id of the new version. */
  readonly token: string;
  readonly rotationToken?: Secret;
}

/** Without `to`, the label is removed. */
export interface LabelMove {
  readonly from?: string;
  readonly to?: string;
}

/** Server, database, user and password of one login. */
export interface ServerLogin {
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  readonly password: Secret;
  /**
   * Whether applications use this login too, and need everything that its database does at a login.
   */
  readonly ofApplication: boolean;
}

/** A refused login, with the engine's error code. */
export interface Refusal {
  readonly refused: string;
}

/** The PostgreSQL servers of a rotation function. */
export interface RotationServers {
  /**
   * Log in. The caller ends the session.
   *
   * @returns a refusal if the server answered and does not accept the login.
   * @throws DatabaseUnavailableError if the server was not reached; then the password may be right
   *   or wrong.
   */
  logIn(login: ServerLogin): Promise<RotationSession | Refusal>;
}

/** The next of two alternating users, as wanted. */
export interface NextUser {
  readonly username: string;
  /** Its new password. */
  readonly password: Secret;
  readonly group: string;
  readonly actsAsGroup: boolean;
  /** The current user. The next user gets the same memberships and settings. */
  readonly like: string;
  /** The database to which applications connect. */
  readonly database: string;
  /** Readable by everyone in the cluster. */
  readonly comment: string;
}

/** Which two users are compared. */
export interface Comparison {
  readonly username: string;
  readonly other: string;
  /** Most differences, and most foreign grants, that are returned. */
  readonly limit: number;
  /** The owners of the application's objects, if they are known. */
  readonly owners?: readonly string[];
}

/** The privileges that only one of the two users has, in words. */
export interface UserDifferences {
  readonly differences: readonly string[];
  /** Privileges that were granted by a role that does not own the application's objects. */
  readonly foreign: readonly string[];
}

/** An open session. */
export interface RotationSession {
  /**
   * Change the password of the session's user. With `clear`, also remove what a former holder of
   * the password may have left: settings of the user, and prepared transactions.
   */
  setOwnPassword(
    username: string,
    password: Secret,
    options: { readonly clear: boolean },
  ): Promise<void>;
  /**
   * Create the next user, or correct its password, memberships, settings, expiry and connection
   * limit.
   *
   * @returns the names of what was changed besides the password; no values.
   */
  convergeNextUser(user: NextUser): Promise<readonly string[]>;
  /** The role whose privileges the session has. */
  actsAs(): Promise<string>;
  compareUsers(comparison: Comparison): Promise<UserDifferences>;
  /**
   * Run each query in a transaction that is rolled back. @throws ConfigError for the first that
   * fails.
   */
  tryQueries(queries: readonly string[]): Promise<void>;
  end(): Promise<void>;
}

/** RDS: sets the master user's password, and knows the addresses of a server. */
export interface RotationRds {
  /**
   * Set the master user's password, and return when RDS has applied it.
   *
   * @throws ConfigError if the instance has another master user, or RDS manages its password.
   */
  setMasterPassword(username: string, password: Secret): Promise<void>;
  /**
   * Whether a host is another address of the deployed server, of its cluster, or of a replica of it.
   *
   * @throws DatabaseUnavailableError if RDS does not answer.
   */
  belongs(host: string): Promise<boolean>;
  /** The address of an instance or a cluster. */
  addressOf(arn: string): Promise<string | undefined>;
}
