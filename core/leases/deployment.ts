/** One consumer's right to one dynamic role. */
export interface Grant {
  readonly consumer: string;
  readonly role: string;
}

/**
 * What a database's functions were deployed with: `deployment.json` beside the bundle. It holds no
 * secret, and nothing that CloudFormation resolves later.
 */
export interface Deployment {
  /** The database's name in the configuration, first part of every lease id. */
  readonly database: string;
  readonly tag: string;
  /** Where the verbs are. */
  readonly maintenanceDatabase: string;
  /** How many issuer roles exist; only ever raised. */
  readonly shards: number;
  /** `plaintext` only where the configuration says so. */
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  /** Rotated secret's name to how often it is rotated. Unit: seconds. */
  readonly rotatedSecrets?: Readonly<Record<string, { readonly periodSeconds: number }>>;
  /** Aliases have no policy of their own: IAM policies alone say who may ask as whom. */
  readonly aliasUnsealed?: boolean;
  /** Alias name to grant: who asks, and for what. The database says whether it may be issued. */
  readonly grants: Readonly<Record<string, Grant>>;
}
