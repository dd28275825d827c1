import { randomUUID } from "node:crypto";
import { isSecretId, namesSecret } from "../../core/aws/secret-id.ts";
import { type Account, arnOf, randomEnd } from "../account.ts";
import type { Clock } from "../clock.ts";
import { AwsError, validationError } from "../http/aws-error.ts";
import type { Access } from "../iam/access.ts";
import type { Session } from "../iam/identity.ts";
import { SecretVersions } from "./secret-versions.ts";
import type { SecretSettings, StoredSecret } from "./stored-secret.ts";

/** The fields of a request that policies may have conditions about. */
export type RequestKeys = Readonly<Record<string, string | undefined>>;

/** The secrets of the account, with access checks. */
export class SecretStore {
  readonly account: Account;
  readonly clock: Clock;
  readonly #access: Access;
  #secrets: readonly StoredSecret[] = [];

  constructor(account: Account, access: Access, clock: Clock) {
    this.account = account;
    this.#access = access;
    this.clock = clock;
  }

  /** In the order of their creation. */
  get all(): readonly StoredSecret[] {
    return this.#secrets;
  }

  add(
    name: string,
    settings: SecretSettings,
    arn = arnOf(this.account, "secretsmanager", `secret:${name}-${randomEnd(6)}`),
  ): StoredSecret {
    const createdAt = new Date(this.clock.now());
    const versions = new SecretVersions(arn, this.clock);
    const secret = { arn, name, createdAt, changedAt: createdAt, versions, settings };
    this.#secrets = [...this.#secrets, secret];
    return secret;
  }

  /** Add a secret that existed before the stack. `id` is its name or its complete ARN. */
  adopt(id: string, value: string): StoredSecret {
    const isArn = id.startsWith("arn:");
    const name = isArn ? id.replace(/^(?:[^:]*:){6}/, "").replace(/-[A-Za-z0-9]{6}$/, "") : id;
    const secret = this.add(name, {}, isArn ? id : undefined);
    secret.versions.put(randomUUID(), value, ["AWSCURRENT"]);
    return secret;
  }

  remove(secret: StoredSecret): void {
    this.#secrets = this.#secrets.filter((each) => each !== secret);
  }

  /** Note that a secret changed. */
  touch(secret: StoredSecret): void {
    secret.changedAt = new Date(this.clock.now());
  }

  /**
   * Find by ARN, by name, or by ARN without its random end if the name does not end like an ARN.
   */
  lookup(id: string): StoredSecret | undefined {
    return this.#secrets.find(({ arn }) => namesSecret(id, arn));
  }

  /** As `lookup`. @throws AwsError `ResourceNotFoundException` if the secret does not exist. */
  find(id: string): StoredSecret {
    const secret = this.lookup(id);
    if (secret !== undefined) return secret;
    throw new AwsError(
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret.",
    );
  }

  /**
   * The secret, if the policies allow the caller's action. As on AWS, a caller without permission
   * gets AccessDenied, also if the secret does not exist.
   */
  async allowed(
    caller: Session,
    operation: string,
    id = "",
    keys: RequestKeys = {},
  ): Promise<StoredSecret> {
    if (!isSecretId(id))
      throw validationError(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
      );
    const known = this.lookup(id);
    const named = id.startsWith("arn:")
      ? id
      : arnOf(this.account, "secretsmanager", `secret:${id}`);
    await this.#access.authorize(caller, {
      action: `secretsmanager:${operation}`,
      resource: known?.arn ?? named,
      policy: known?.policy,
      context: contextOf(known, keys),
    });
    return this.find(id);
  }

  /** Check an action that concerns no single secret. */
  async allowedAnywhere(caller: Session, operation: string): Promise<void> {
    const request = { action: `secretsmanager:${operation}`, resource: "*" };
    await this.#access.authorize(caller, request);
  }
}

/** The condition keys of a request. AWS recommends the first for rotation functions. */
function contextOf(secret: StoredSecret | undefined, keys: RequestKeys): Record<string, string> {
  const all: RequestKeys = {
    "secretsmanager:resource/AllowRotationLambdaArn": secret?.rotation?.functionArn,
    "secretsmanager:SecretId": secret?.arn,
    ...Object.fromEntries(
      (secret?.settings.Tags ?? []).map(({ Key, Value }) => [`aws:ResourceTag/${Key}`, Value]),
    ),
    ...keys,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
