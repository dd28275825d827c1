/** Credentials for AWS. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Settings of the SDK's clients. The SDK takes what is missing from environment and profile. */
export interface ClientSettings {
  readonly region?: string;
  readonly endpoint?: string;
  readonly credentials?: Keys;
  /** How long to wait for an answer. Unit: milliseconds. */
  readonly requestHandler?: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
    readonly throwOnRequestTimeout: boolean;
  };
}

/**
 * Settings from the environment, with time limits: the operator function may take its 300 seconds,
 * and without a limit the SDK waits for ever if there is no route.
 */
export const PATIENT: ClientSettings = {
  requestHandler: {
    connectionTimeout: 5_000,
    requestTimeout: 310_000,
    throwOnRequestTimeout: true,
  },
};
