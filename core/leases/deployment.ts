/** A dynamic role as the functions know it. Lengths are in seconds. */
export interface DeployedRole {
  readonly groupRole: string;
  /** The application database that issued credentials name. */
  readonly dbname: string;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  /** Most live leases of this role at one time, all consumers together. */
  readonly maxLeases: number;
  /** Most live leases of one consumer of this role. */
  readonly maxLeasesPerConsumer: number;
  /** `CONNECTION LIMIT` of each lease. */
  readonly connectionLimit: number;
}

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
  /** How many issuer roles exist; only ever raised. */
  readonly shards: number;
  /** `plaintext` only where the configuration says so. */
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  readonly roles: Readonly<Record<string, DeployedRole>>;
  /** Rotated secret's name to how often it is rotated. Unit: seconds. */
  readonly rotatedSecrets?: Readonly<Record<string, { readonly periodSeconds: number }>>;
  /** Alias name to grant. */
  readonly grants: Readonly<Record<string, Grant>>;
}
