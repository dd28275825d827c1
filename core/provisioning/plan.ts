import type { RotatedUser } from "../rotation/settings.ts";
import type { Privileges } from "./privilege-kinds.ts";

/** A dynamic role: its group, and the limits of its leases. Lengths are in seconds. */
export interface PlannedRole {
  readonly groupRole: string;
  readonly privileges: Privileges;
  /** Its leases may create objects although the role can write. Undefined means false. */
  readonly allowCreate?: boolean;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  /** Most leases of this role at one time, all consumers together; latched ones count. */
  readonly maxLeases: number;
  /** Most leases of one consumer of this role. */
  readonly maxLeasesPerConsumer: number;
  /** `CONNECTION LIMIT` of each lease. */
  readonly connectionLimit: number;
}

/** The plan that the provisioner applies; one JSON string in the custom resource. */
export interface ProvisionPlan {
  /** The database's name in the configuration, the first part of every lease id. */
  readonly database: string;
  readonly tag: string;
  readonly shards: number;
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  /** The role that owns the tables. The administrator must be a member while grants are missing. */
  readonly owner: string;
  /** The application databases in which the privileges are granted. */
  readonly databases: readonly string[];
  /** The database where role DDL runs and nobody else may connect. */
  readonly maintenanceDatabase: string;
  /** `CONNECTION LIMIT` of each issuer login. */
  readonly loginConnectionLimit: number;
  /** The dynamic roles, by name. */
  readonly roles: Readonly<Record<string, PlannedRole>>;
  /** The users that are created from rotated secrets, by the secret's name. */
  readonly rotatedUsers?: Readonly<Record<string, RotatedUser>>;
  /** The users whose sessions the sweep notes, sorted. Undefined if there are none. */
  readonly watch?: readonly string[];
  /** Aliases have no resource policy: only IAM policies decide who may invoke which alias. */
  readonly aliasUnsealed?: boolean;
  /** The grants. Leases without a grant are revoked. */
  readonly grants: readonly { readonly consumer: string; readonly role: string }[];
}
