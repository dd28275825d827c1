/** What AWS hands out for a role. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What the SDK's clients are made with; what is left out comes from the environment and profile. */
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
 * As the environment says, with bounds: the operator function may take its 300 seconds, and where
 * there is no route the SDK alone would wait for ever.
 */
export const PATIENT: ClientSettings = {
  requestHandler: {
    connectionTimeout: 5_000,
    requestTimeout: 310_000,
    throwOnRequestTimeout: true,
  },
};
