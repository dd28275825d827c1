import type { AuditEvent } from "../audit.ts";
import type { Metric } from "../metric.ts";
import type { ConvergeReport } from "../provisioning/report.ts";
import type { Secret } from "../secret.ts";
import type { Instant, Time } from "../time.ts";
import type { LeaseRef, Recognition } from "./lease.ts";
import type { LeaseName } from "./lease-name.ts";
import type { ServerMark, Sighting } from "./server.ts";

/** What is needed to create one login, in one round trip. */
export interface IssueOrder {
  readonly name: LeaseName;
  readonly password: Secret;
  /** `undefined`: what is declared of the dynamic role. */
  readonly ttlSeconds?: number;
  /** Whether a live lease with the same key's digest is to be returned instead. */
  readonly replay: boolean;
  /** How long such a lease must still be renewable. `undefined`: 10, or half the role's maximum. */
  readonly minRemainingSeconds?: number;
  /** The version of the pepper that the password was derived with. */
  readonly pepper?: string;
}

/** A login that was created, or found by its key. Times are the database's. */
export interface IssuedLogin {
  readonly kind: "issued" | "replayed";
  readonly username: string;
  readonly incarnation: string;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly maxExpiresAt: Instant;
  /** Of the pepper that the password was derived with. */
  readonly pepper?: string;
  /** The application database that the credential names. */
  readonly dbname: string;
  /** False where a limit of the role is 1: no next lease fits beside this one. */
  readonly successor: boolean;
}

/** What is declared does not allow what was asked; the database decides, not the deployment. */
export type Undeclared =
  | { readonly kind: "undeclared" }
  | { readonly kind: "ttl"; readonly maxTtlSeconds: number };

export type IssueOutcome =
  | IssuedLogin
  | Undeclared
  | { readonly kind: "min remaining"; readonly mostSeconds: number }
  | {
      readonly kind: "limit";
      readonly scope: "role" | "consumer";
      readonly count: number;
      readonly limit: number;
    };

export type RenewOutcome =
  | Undeclared
  | {
      readonly kind: "extended";
      readonly expiresAt: Instant;
      readonly maxExpiresAt: Instant;
    }
  | { readonly kind: "not found" | "revoked" | "expired" };

/** What an engine could not do with one lease among several. */
export interface EngineFailure {
  readonly kind: "failed";
  /** Our name of what was tried. */
  readonly step: string;
  /** The engine's own code: opaque to everybody else. */
  readonly code: string;
  /** Whether the same may succeed later with nothing changed. */
  readonly passes: boolean;
}

/** What a latch found of one lease, or made of it. */
export type LatchOutcome =
  | {
      readonly kind: "latched";
      readonly at: Instant;
      /** True when this latch closed the door: a login may have been under way. */
      readonly wasOpen: boolean;
      /** When the lease was to expire. */
      readonly expiresAt?: Instant;
      /** When the door was closed, by this latch or an earlier one. */
      readonly latchedAt?: Instant;
      readonly unverifiedAt?: Instant;
      /** Sessions that had to be ended for the latch: they were in its way. */
      readonly ended: number;
      /** Some of them. */
      readonly who?: readonly SessionSeen[];
      /** Memberships that could not be revoked, in either direction. */
      readonly memberships: readonly Blocker[];
    }
  | { readonly kind: "not due"; readonly at: Instant; readonly expiresAt?: Instant }
  | { readonly kind: "gone" }
  /** There is something of that name, but another incarnation of it. */
  | { readonly kind: "other" }
  | { readonly kind: "foreign"; readonly why: string }
  /** Its incarnation is none that this engine could have given. */
  | { readonly kind: "invalid"; readonly why: string }
  | EngineFailure;

/** Something that keeps a role from being dropped. */
export interface Blocker {
  /** The database it is in, or `cluster` for what belongs to none; the server's name for its sessions. */
  readonly database: string;
  /** Where the engine lists the object. */
  readonly catalog: string;
  /**
   * How it depends: `owner`, `privilege`, `policy`, `membership`, `prepared`, `lock` or `session`; or
   * `server`, for a reader that could not be looked at, or that the latch has not reached.
   */
  readonly kind: string;
  readonly count: number;
  /** Why it could not be cleared, where that was tried; or what it still does. */
  readonly why?: string;
  /** Whose it is, where that is not the lease itself but its group: it does not keep the lease. */
  readonly of?: string;
}

/** What a role of Mayfly's owns that should own nothing there. */
export interface Stray extends Pick<Blocker, "database" | "catalog" | "count"> {
  readonly owner: string;
  /** Why it is not known what it owns, where that could not be looked at. */
  readonly why?: string;
}

export type DropOutcome =
  | { readonly kind: "dropped"; readonly at: Instant }
  | { readonly kind: "gone" }
  | {
      readonly kind: "blocked";
      readonly blockers: readonly Blocker[];
      /** Those of them that carry no code: a janitor may clear them. */
      readonly litter: readonly Blocker[];
    }
  | EngineFailure;

export type LendOutcome =
  | { readonly kind: "lent" | "taken back" | "gone" }
  /** It can log in, or it has a session. */
  | { readonly kind: "in use" }
  | EngineFailure;

/** A lease that is lent, and the databases where it has left litter. */
export interface Littered {
  readonly lease: LeaseRef;
  readonly databases: readonly string[];
}

/** What a lease had left and a janitor has removed. */
export type Cleared = Pick<Blocker, "database" | "catalog" | "count">;

/** What a janitor made of one lease's litter. */
export interface Clearance {
  readonly cleared: readonly Cleared[];
  /** What was not cleared, and why. */
  readonly failures: readonly { readonly database: string; readonly why: string }[];
  /** Somebody has revoked the lease meanwhile, and it is lent no more. */
  readonly takenBack: boolean;
}

/** Enters the databases of applications, and acts there as leases that are lent, with what they own. */
export interface Janitor {
  /** Remove what carries no code, as much as there is time for. Never rejects; safe to repeat. */
  clear(litter: readonly Littered[], until: Instant): Promise<readonly Clearance[]>;
}

/** Who had a session: what the server tells of it. */
export interface SessionSeen {
  readonly application?: string;
  readonly address?: string;
  readonly since?: Instant;
}

/** What one attempt to end the sessions of one role found. */
export interface SessionsEnded {
  readonly server: string;
  readonly ended: number;
  readonly remaining: number;
  /** Some of them. */
  readonly who?: readonly SessionSeen[];
}

/** One life of a name. */
export type Incarnate = Pick<LeaseRef, "username" | "incarnation">;

/**
 * A database server as the ledger of leases. Every operation is safe to repeat, and what takes several
 * leases answers for each of them, in the same order.
 */
export interface Engine {
  issue(order: IssueOrder): Promise<IssueOutcome>;
  /** Move the expiry to `ttlSeconds` from now, as far as record and declaration allow; never past a latch. */
  renew(lease: LeaseRef, ttlSeconds?: number): Promise<RenewOutcome>;
  /** What has that name, its sessions on the writer, and the database's clock. */
  look(username: string): Promise<Found>;
  /** Up to `limit` of what is named like a lease of ours, after `after`, by name. */
  list(after: string, limit: number): Promise<LeasePage>;
  /** No login, no password, no membership; committed. */
  latch(leases: readonly LeaseRef[], options: LatchOptions): Promise<readonly LatchOutcome[]>;
  /** End every session on the writer, by incarnation: a role may have no name any more. One attempt. */
  endSessions(roles: readonly Incarnate[]): Promise<readonly SessionsEnded[]>;
  drop(leases: readonly LeaseRef[]): Promise<readonly DropOutcome[]>;
  /**
   * Lend latched leases without a session to whoever clears up after them, and nobody else; or take that
   * back, as a latch does too.
   */
  lend(leases: readonly LeaseRef[], way: "lend" | "take back"): Promise<readonly LendOutcome[]>;
  /** Say since when a reader could not be looked at, or that all were; of latched leases only. */
  markUnverified(lease: LeaseRef, since: Instant | undefined): Promise<void>;
  /**
   * What the groups of these dynamic roles own, or what any role of Mayfly's does that should own nothing:
   * leases that are over may have made it, and left it to them.
   */
  findStrays(roles?: readonly string[]): Promise<readonly Stray[]>;
  /** What should not be there. */
  findUnknown(): Promise<Unknown>;
  /** The server that leases were made on, and the one that has answered. */
  sighting(): Promise<Sighting>;
  /** Say that leases are this server's from now on. */
  recordServer(seen: ServerMark): Promise<void>;
}

/** What a sweep finds that no lease explains. */
export interface Unknown {
  /** Incarnations of open sessions whose role is gone. */
  readonly sessions: readonly string[];
  /** Members of the groups of dynamic roles that are not Mayfly's. */
  readonly members: readonly { readonly role: string; readonly member: string }[];
}

export interface LeasePage {
  readonly roles: readonly Recognition[];
  readonly now: Instant;
  /** Continue after this name; absent on the last page. */
  readonly next?: string;
}

/** What one look at a reader found and did of one role. */
export interface ReaderLook {
  /** False for a server that replays no other: it was promoted, or became the writer. */
  readonly replays: boolean;
  /** What has arrived there of the role. `absent` is not made there yet, or dropped already. */
  readonly role: "open" | "latched" | "absent";
  readonly ended: number;
  readonly remaining: number;
  readonly who?: readonly SessionSeen[];
}

/**
 * A server of the cluster that replays what the writer commits, and takes logins of its own: the
 * writer sees none of its sessions. It changes nothing, and every call is one attempt.
 */
export interface Reader {
  /** Its name in receipts: `host:port`, or RDS's name of it while it has no address. */
  readonly server: string;
  /** Read what has arrived of roles, and then end their sessions, by incarnation. */
  look(roles: readonly Incarnate[]): Promise<readonly ReaderLook[]>;
  countSessions(role: Incarnate): Promise<number>;
  /** Incarnations of open sessions whose role is gone. */
  sessionsWithoutRole(): Promise<readonly string[]>;
}

/** Where a reader is; without a host, its name in receipts and why it cannot be asked. */
export type ReaderAddress =
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
  /** Absent when nothing has that name. */
  readonly role?: Recognition;
  readonly sessions: number;
  readonly now: Instant;
}

export interface LatchOptions {
  /** Leave a lease alone that can log in and has not expired by the database's clock. */
  readonly onlyIfDue: boolean;
}

/** One lease that a schedule is about. */
export interface ScheduledLease {
  readonly leaseId: string;
  readonly incarnation: string;
}

/** What a schedule carries: the lease to revoke, or leases that were dropped, for a second look. */
export type ScheduleInput = ScheduledLease | { readonly recheck: readonly ScheduledLease[] };

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
  readonly engine: Engine;
  readonly janitor: Janitor;
  readonly readers: Readers;
  readonly scheduler: Scheduler;
  readonly telemetry: Telemetry;
  readonly time: Time;
}

export type { Metric };
