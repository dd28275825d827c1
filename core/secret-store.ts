import type { Secret } from "./secret.ts";

/**
 * A Secrets Manager secret that is a JSON object. The keys that hold something secret are wrapped;
 * unknown keys are carried over as they are.
 */
export interface SecretObject {
  readonly username?: string;
  readonly password?: Secret;
  readonly pepper?: Secret;
  readonly [key: string]: unknown;
}

/** One version of a secret. */
export interface SecretVersion {
  readonly value: SecretObject;
  readonly versionId: string;
}

/** Which version: by staging label, by id, or both. */
export interface VersionSelector {
  /** @default - `AWSCURRENT`, unless `versionId` is given */
  readonly stage?: string;
  readonly versionId?: string;
}

/** What Mayfly asks of a store of secrets. */
export interface SecretStore {
  /** The version, or `undefined` when there is none such. */
  getSecret(arn: string, version?: VersionSelector): Promise<SecretVersion | undefined>;
  /**
   * Put a new version, which becomes `AWSCURRENT`; the version that was becomes `AWSPREVIOUS`.
   * `clientRequestToken` becomes its id: 32 to 64 characters.
   */
  putSecret(
    arn: string,
    value: SecretObject,
    options: { readonly clientRequestToken: string },
  ): Promise<void>;
}
