import type { RotatedUser } from "../rotation/settings.ts";
import type { Privileges } from "./privilege-kinds.ts";

/** A dynamic role: its group, and what may be issued of it. Lengths are in seconds. */
export interface PlannedRole {
  readonly groupRole: string;
  readonly privileges: Privileges;
  /** Its leases may create objects, although they write. Absent is false. */
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

/** What the provisioner makes true; travels as one JSON string in the custom resource. */
export interface ProvisionPlan {
  /** The database's name in the configuration, first part of every lease id. */
  readonly database: string;
  readonly tag: string;
  readonly shards: number;
  readonly tls: "verify-full" | "plaintext";
  /** PEM of the roots to trust instead of the Region's RDS roots. */
  readonly ca?: string;
  /** Who owns the tables; the admin must be a member while anything is to be granted. */
  readonly owner: string;
  /** The application databases in which the privileges are granted. */
  readonly databases: readonly string[];
  /** The database where role DDL runs and nobody else may connect. */
  readonly maintenanceDatabase: string;
  /** `CONNECTION LIMIT` of each issuer login. */
  readonly loginConnectionLimit: number;
  /** By the name of the dynamic role. */
  readonly roles: Readonly<Record<string, PlannedRole>>;
  /** Rotated secret's name to the users that are made from it. */
  readonly rotatedUsers?: Readonly<Record<string, RotatedUser>>;
  /** Aliases have no policy of their own: IAM policies alone say who may ask as whom. */
  readonly aliasUnsealed?: boolean;
  /** Who may ask for what. A lease of anybody else is revoked. */
  readonly grants: readonly { readonly consumer: string; readonly role: string }[];
}
