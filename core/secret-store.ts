import type { Secret } from "./secret.ts";

/**
 * A Secrets Manager secret that is a JSON object. Secret values are wrapped; unknown keys are
 * copied unchanged.
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

/** A version, by staging label, by id, or both. */
export interface VersionSelector {
  /** @default - `AWSCURRENT`, unless `versionId` is given */
  readonly stage?: string;
  readonly versionId?: string;
}

/** The store of Mayfly's secrets. */
export interface SecretStore {
  /** The version. Undefined if there is no such version. */
  getSecret(arn: string, version?: VersionSelector): Promise<SecretVersion | undefined>;
  /**
   * Put a new version. It becomes `AWSCURRENT`; the former one becomes `AWSPREVIOUS`.
   * `clientRequestToken`, 32 to 64 characters, becomes its id.
   */
  putSecret(
    arn: string,
    value: SecretObject,
    options: { readonly clientRequestToken: string },
  ): Promise<void>;
}
