import type { AuditEvent } from "../audit.ts";
import type { Metric } from "../metric.ts";
import type { ConvergeReport } from "../provisioning/report.ts";
import type { Secret } from "../secret.ts";
import type { Instant, Time } from "../time.ts";
import type { Recognition, RoleRow } from "./lease.ts";
import type { LeaseName } from "./lease-name.ts";
import type { ServerMark, Sighting } from "./server.ts";

/** What is needed to create one login, in one round trip. */
export interface IssueOrder {
  readonly name: LeaseName;
  readonly groupRole: string;
  /** SCRAM-SHA-256 verifier of the password. */
  readonly verifier: string;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly connectionLimit: number;
  readonly maxLeases: number;
  readonly maxLeasesPerConsumer: number;
  /** How many shards may hold an earlier lease of the same key. */
  readonly shards: number;
  /** Whether a live lease with the same key's digest is to be returned instead. */
  readonly replay: boolean;
  /** Fields of the record besides its times. */
  readonly record: Readonly<Record<string, string | number>>;
}

/** A login that was created, or found by its key. Times are the database's. */
export interface IssuedLogin {
  readonly kind: "issued" | "replayed";
  readonly row: RoleRow;
}

export type IssueOutcome =
  | IssuedLogin
  | { readonly kind: "limit"; readonly scope: "role" | "consumer"; readonly live: number };

export type ExtendOutcome =
  | { readonly kind: "extended"; readonly expiresAt: Instant; readonly now: Instant }
  | { readonly kind: "not found" | "revoked" | "expired" };

export type LatchOutcome =
  | {
      readonly kind: "latched";
      readonly at: Instant;
      /** Sessions that had to be ended for the latch: they held the role's row. */
      readonly sessions: readonly SessionsEnded[];
      /** Memberships that could not be revoked, in either direction. */
      readonly memberships: readonly Blocker[];
    }
  | { readonly kind: "gone" }
  | { readonly kind: "not due" };

/** Something that keeps a role from being dropped. */
export interface Blocker {
  /** The database it is in, or `cluster` for what belongs to none; the server's name for its sessions. */
  readonly database: string;
  /** Catalog of the object, e.g. `pg_class`. */
  readonly catalog: string;
  /**
   * How it depends: `owner`, `privilege`, `policy`, `membership`, `lock` or `session`; or `server`,
   * for a reader that could not be looked at, or that the latch has not reached.
   */
  readonly kind: string;
  readonly count: number;
}

export type DropOutcome =
  | { readonly kind: "dropped"; readonly at: Instant }
  | { readonly kind: "gone" }
  | { readonly kind: "blocked"; readonly blockers: readonly Blocker[] };

/** What one attempt to end sessions found. */
export interface SessionsEnded {
  readonly server: string;
  readonly ended: number;
  readonly remaining: number;
}

/** The database as the ledger of leases. Every operation is safe to repeat. */
export interface Ledger {
  issue(order: IssueOrder): Promise<IssueOutcome>;
  /** Move `VALID UNTIL` to `ttlSeconds` from now, at most `until`; never past a latch. */
  extend(lease: LeaseRef, ttlSeconds: number, until: Instant): Promise<ExtendOutcome>;
  /** The role of that name, its sessions, and the database's clock. */
  find(username: string): Promise<Found>;
  /** Up to `limit` roles named like leases of ours, after `after`, by name. */
  page(after: string, limit: number): Promise<{ rows: readonly RoleRow[]; now: Instant }>;
  /** No login, no password, no membership; committed. */
  latch(lease: LeaseRef, options: LatchOptions): Promise<LatchOutcome>;
  /** End every session of a role on the writer, by OID: it may have no name any more. One attempt. */
  endSessions(roleOid: number, username: string): Promise<readonly SessionsEnded[]>;
  drop(lease: LeaseRef): Promise<DropOutcome>;
  /** Write the record of a latched lease; of one that is not, nothing. */
  annotate(lease: LeaseRef, record: Readonly<Record<string, string | number>>): Promise<void>;
  /** OIDs of open sessions whose role is gone. */
  sessionsWithoutRole(): Promise<readonly number[]>;
  /** The server that leases were made on, and the one that has answered. */
  sighting(): Promise<Sighting>;
  /** Say that leases are this server's from now on. */
  settle(seen: ServerMark): Promise<void>;
}

/** What one look at a reader found and did. */
export interface ReaderLook {
  /** False for a server that replays no other: it was promoted, or became the writer. */
  readonly replays: boolean;
  /** What has arrived there of the role. `absent` is not made there yet, or dropped already. */
  readonly role: "open" | "latched" | "absent";
  readonly ended: number;
  readonly remaining: number;
}

/**
 * A server of the cluster that replays what the writer commits, and takes logins of its own: the
 * writer sees none of its sessions. It changes nothing, and every call is one attempt.
 */
export interface Reader {
  /** Its name in receipts: `host:port`, or RDS's name of it while it has no address. */
  readonly server: string;
  /** Read what has arrived of a role, and then end its sessions, by OID. */
  look(roleOid: number, username: string): Promise<ReaderLook>;
  countSessions(roleOid: number): Promise<number>;
  sessionsWithoutRole(): Promise<readonly number[]>;
}

/** Where a reader is; without a host, its name in receipts and why it cannot be asked. */
export type ReaderPlace =
  | {
      readonly host: string;
      readonly port: number;
      /** RDS's word for what it is doing, unless that is `available`. */
      readonly status?: string;
    }
  | { readonly server: string; readonly error: Error };

/** The readers of a cluster. */
export interface Readers {
  /** Those there are now. Never rejects: what cannot be listed is a reader that cannot be looked at. */
  list(): Promise<readonly Reader[]>;
  /** What went wrong with readers during one pass over many leases, by server; see `forOnePass`. */
  readonly faults?: Map<string, ReaderFault>;
}

export interface ReaderFault {
  readonly kind: "unreachable" | "late";
  /** What an operator can act on. */
  readonly why: string;
}

export interface Found {
  readonly row?: RoleRow;
  readonly sessions: number;
  readonly now: Instant;
}

/** A lease as operations name it: the OID pins it to one life of that name. */
export interface LeaseRef {
  readonly name: LeaseName;
  readonly username: string;
  readonly oid: number;
}

export interface LatchOptions {
  /** Leave a lease alone that can log in and has not expired by the database's clock. */
  readonly onlyIfDue: boolean;
  /** End the lease's sessions in the same breath: they hold its row, and would again. */
  readonly endSessions: boolean;
  /** The record as it shall read afterwards, but for the time of the latch. */
  readonly record: Readonly<Record<string, string | number>>;
}

/** What the schedule of a lease carries. */
export interface ScheduleInput {
  readonly leaseId: string;
  readonly roleOid: number;
}

/** One-time schedules that call the revoker. */
export interface Scheduler {
  /** Make one. `exists` when that name is taken: names are never used for two things. */
  create(name: string, atEpochSeconds: number, input: ScheduleInput): Promise<"made" | "exists">;
  /** The names of all schedules of this database's group. */
  names(): Promise<readonly string[]>;
  /** What a schedule carries; `undefined` when it is gone or not ours. */
  read(name: string): Promise<ScheduleInput | undefined>;
  /** Safe to repeat. */
  remove(name: string): Promise<void>;
}

/** The group that holds the schedules of all leases. */
export interface ScheduleGroup {
  readonly name: string;
  /** Delete it, with every schedule in it. Safe to repeat. */
  remove(): Promise<void>;
}

/** Keys that passwords of keyed leases are derived with. */
export interface Peppers {
  current(): Promise<Pepper>;
  /** `undefined` when Secrets Manager no longer keeps that version. */
  version(version: string): Promise<Pepper | undefined>;
}

export interface Pepper {
  readonly version: string;
  readonly value: Secret;
}

/** Uniform random bytes. */
export type RandomBytes = (length: number) => Uint8Array;

export interface Telemetry {
  audit(event: AuditEvent): void;
  /** `secret`: of which rotated secret, where the metric is not the whole database's. */
  measure(metric: Metric, value: number, secret?: string): void;
}

/** What made the database ready for leases, and can again. */
export interface Provisioner {
  /** Make the deployed plan true. Safe to repeat. */
  converge(): Promise<ConvergeReport>;
}

/** What every use case that changes leases stands on. */
export interface LeaseDeps {
  /** The database's name in the configuration. */
  readonly database: string;
  readonly tag: string;
  readonly ledger: Ledger;
  readonly readers: Readers;
  readonly scheduler: Scheduler;
  readonly telemetry: Telemetry;
  readonly time: Time;
}

export type { Metric, Recognition };
