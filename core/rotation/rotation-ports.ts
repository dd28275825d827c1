import type { Secret } from "../secret.ts";
import type { SecretObject, SecretVersion, VersionSelector } from "../secret-store.ts";

/** A secret without its values. */
export interface SecretDescription {
  readonly arn: string;
  /** Absent before rotation was ever configured. */
  readonly rotationEnabled?: boolean;
  /** The AWS service that keeps the secret for itself, e.g. `rds`. */
  readonly owningService?: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Version id to its staging labels. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
}

/** Secrets Manager as a rotation function uses it. */
export interface RotationSecrets {
  describe(id: string): Promise<SecretDescription>;
  /** `undefined` when there is no such version, or it has no value yet. */
  getSecret(id: string, version: VersionSelector): Promise<SecretVersion | undefined>;
  /** Give the pending version its value. The same value again changes nothing. */
  putPending(id: string, value: SecretObject, tokens: PendingTokens): Promise<void>;
  /** Move a label to a version, from the one that has it. */
  moveLabel(id: string, label: string, move: LabelMove): Promise<void>;
}

export interface PendingTokens {
  /** Becomes the version's id. */
  readonly token: string;
  readonly rotationToken?: Secret;
}

/** Without `to`, the label is taken away. */
export interface LabelMove {
  readonly from?: string;
  readonly to?: string;
}

/** As whom, to which database of a server. */
export interface ServerLogin {
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  readonly password: Secret;
  /** Applications use it too, with whatever its database does at a login. */
  readonly ofApplication: boolean;
}

/** A login that the server refused, and the engine's code for why. */
export interface Refusal {
  readonly refused: string;
}

/** PostgreSQL servers as a rotation function uses them. */
export interface RotationServers {
  /**
   * Log in. The caller ends the session.
   *
   * @returns a refusal when the server was reached and does not accept the login.
   * @throws DatabaseUnavailableError when it was not reached, which says nothing of the password.
   */
  logIn(login: ServerLogin): Promise<RotationSession | Refusal>;
}

/** One of two users that take turns, as it is to be. */
export interface NextUser {
  readonly username: string;
  /** Its new password. */
  readonly password: Secret;
  readonly group: string;
  readonly actsAsGroup: boolean;
  /** The user whose turn it is now: the other one gets what it has. */
  readonly like: string;
  /** To which applications connect. */
  readonly database: string;
  /** Readable by everyone in the cluster. */
  readonly comment: string;
}

/** Which two users are compared. */
export interface Comparison {
  readonly username: string;
  readonly other: string;
  /** Of differences, and of foreign grants. */
  readonly limit: number;
  /** Who owns the application's objects, where that is known. */
  readonly owners?: readonly string[];
}

/** What one of two users may do that the other may not, in words. */
export interface UserDifferences {
  readonly differences: readonly string[];
  /** By the word of somebody who has no say over the application's objects. */
  readonly foreign: readonly string[];
}

/** An open session. */
export interface RotationSession {
  /**
   * Change the password of the user who logged in. With `clear`, take away what whoever had the former
   * one may have left to it: settings of its own, and transactions without a session.
   */
  setOwnPassword(
    username: string,
    password: Secret,
    options: { readonly clear: boolean },
  ): Promise<void>;
  /**
   * Make the user of the next turn, or converge it: password, memberships, settings, expiry, limit.
   *
   * @returns what was changed besides the password: names, no values.
   */
  convergeNextUser(user: NextUser): Promise<readonly string[]>;
  /** The role whose privileges the session has. */
  actsAs(): Promise<string>;
  compareUsers(comparison: Comparison): Promise<UserDifferences>;
  /** Run each in a transaction that is rolled back. @throws ConfigError naming the first that fails. */
  tryQueries(queries: readonly string[]): Promise<void>;
  end(): Promise<void>;
}

/** RDS, for the master user and for who belongs to a server. */
export interface RotationRds {
  /**
   * Set the master user's password, and return when RDS has applied it.
   *
   * @throws ConfigError when the instance has another master user, or RDS keeps its password itself.
   */
  setMasterPassword(username: string, password: Secret): Promise<void>;
  /**
   * Whether a host is another address of the deployed server, of its cluster, or of a replica of it.
   *
   * @throws DatabaseUnavailableError when RDS does not tell, which is no answer.
   */
  belongs(host: string): Promise<boolean>;
  /** The address of an instance or a cluster. */
  addressOf(arn: string): Promise<string | undefined>;
}
