/** One consumer's right to one dynamic role. */
export interface Grant {
  readonly consumer: string;
  readonly role: string;
}

/**
 * The deployment data of a database's functions: `deployment.json` beside the bundle. It holds no
 * secret and no value that CloudFormation resolves later.
 */
export interface Deployment {
  /** The database's name in the configuration, the first part of every lease id. */
  readonly database: string;
  readonly tag: string;
  /** The database that has the verbs. */
  readonly maintenanceDatabase: string;
  /** How many issuer roles exist. Never lowered. */
  readonly shards: number;
  /** `plaintext` only if the configuration says so. */
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  /** How often each rotated secret is rotated, by name. Unit: seconds. */
  readonly rotatedSecrets?: Readonly<Record<string, { readonly periodSeconds: number }>>;
  /** Aliases have no resource policy: only IAM policies decide who may invoke which alias. */
  readonly aliasUnsealed?: boolean;
  /**
   * The grants, by alias name: consumer and role. The database decides whether a lease may be
   * issued.
   */
  readonly grants: Readonly<Record<string, Grant>>;
}
