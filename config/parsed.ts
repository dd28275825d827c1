import type { Privileges } from "../core/provisioning/plan.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import type { PasswordPolicy, RotationStrategy } from "../core/rotation/settings.ts";
import type { AlarmsConfig, AuditEventsConfig, VpcConfig } from "./types.ts";

/** A dynamic role with every default filled in. Lengths are in seconds. */
export interface ParsedRole {
  readonly privileges: Privileges;
  /** Absent is false. */
  readonly allowCreate?: boolean;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly maxLeases: number;
  readonly maxLeasesPerConsumer: number;
  readonly connectionLimit: number;
}

/** How the functions trust the server. */
export interface ParsedTrust {
  readonly tls: "verify-full" | "plaintext";
  readonly ca?: string;
}

/** Where a reader is. */
export interface ReaderAddress {
  readonly host: string;
  readonly port: number;
}

/** Which readers a server has, as far as the configuration says. */
export interface ParsedReaders {
  readonly readers?: readonly ReaderAddress[];
  readonly cluster?: string;
  readonly instance?: string;
}

/** A server that exists, with every default filled in. */
export interface ParsedHost extends ParsedTrust, ParsedReaders {
  readonly host: string;
  readonly port: number;
  readonly adminSecret: string;
  readonly serverId?: string;
  readonly vpc: VpcConfig;
}

/** What every database has, with every default filled in. */
export interface ParsedSettings {
  readonly databases: readonly string[];
  readonly maintenanceDatabase: string;
  readonly owner: string;
  readonly tag?: string;
  readonly shards: number;
  readonly reserveConcurrency: boolean;
}

/** A rotated secret with every default filled in. */
export interface ParsedSecret {
  readonly strategy: Exclude<RotationStrategy, "issuer-login">;
  /** None for the administrator of a sandbox. */
  readonly usernames: readonly string[];
  /** The dynamic role, or the NOLOGIN role, of whose privileges they are; neither where nobody makes them. */
  readonly role?: string;
  readonly ownerGroup?: string;
  readonly times: RotationTimes;
  readonly password: PasswordPolicy;
  readonly testQueries: readonly string[];
  /** The secret that exists; without it one is made, but for the administrator. */
  readonly secretArn?: string;
  readonly kmsKeyArn?: string;
  readonly replicaRegions: readonly string[];
}

/** A database with every default filled in. `target` is undefined for the sandbox. */
export interface ParsedDatabase extends ParsedSettings {
  readonly target: ParsedHost | undefined;
  readonly roles: Readonly<Record<string, ParsedRole>>;
  readonly secrets: Readonly<Record<string, ParsedSecret>>;
  readonly loginRotation: RotationTimes;
}

/** A consumer: a role that exists, one to make, or a function in the sandbox of its grants. */
export interface ParsedConsumer {
  readonly principal:
    | { readonly roleArn: string }
    | { readonly assumedBy: string }
    | { readonly sandbox: true };
  readonly grants: readonly { readonly database: string; readonly role: string }[];
  readonly secrets: readonly { readonly database: string; readonly secret: string }[];
}

/** A configuration that holds together. Frozen. */
export interface ParsedConfig {
  readonly databases: Readonly<Record<string, ParsedDatabase>>;
  readonly consumers: Readonly<Record<string, ParsedConsumer>>;
  readonly alarms?: AlarmsConfig;
  readonly auditEvents?: AuditEventsConfig;
  readonly dashboard: boolean;
}
