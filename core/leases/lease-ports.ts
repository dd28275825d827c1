import type { AuditEvent } from "../audit.ts";
import type { Metric } from "../metric.ts";
import type { ConvergeReport } from "../provisioning/report.ts";
import type { Secret } from "../secret.ts";
import type { Instant, Time } from "../time.ts";
import type { LeaseRef, Recognition } from "./lease.ts";
import type { LeaseName } from "./lease-name.ts";
import type { ServerMark, Sighting } from "./server.ts";
import type { ServerLook, WatchedUser } from "./watched.ts";

/** Everything that is needed to create one login in one round trip. */
export interface IssueOrder {
  readonly name: LeaseName;
  readonly password: Secret;
  /** Undefined: the declared default of the dynamic role. */
  readonly ttlSeconds?: number;
  /** Whether to return a live lease with the same key's digest instead. */
  readonly replay: boolean;
  /**
   * How long such a lease must still be renewable. Undefined: 10, or half the role's maximum if
   * that is shorter.
   */
  readonly minRemainingSeconds?: number;
  /** The version of the pepper that the password was derived with. */
  readonly pepper?: string;
}

/** A login that was created, or found by its key. Times are by the database's clock. */
export interface IssuedLogin {
  readonly kind: "issued" | "replayed";
  readonly username: string;
  readonly incarnation: string;
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly maxExpiresAt: Instant;
  /** The version of the pepper that the password was derived with. */
  readonly pepper?: string;
  /** The application database that the credential names. */
  readonly dbname: string;
  /** False if a limit of the role is 1: a second lease is not allowed beside this one. */
  readonly successor: boolean;
}

/** The request exceeds what the database declares. The database decides, not the deployment. */
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

/** A failure of the engine with one lease among several. */
export interface EngineFailure {
  readonly kind: "failed";
  /** Mayfly's name for the step that failed. */
  readonly step: string;
  /** The engine's own error code; other code does not interpret it. */
  readonly code: string;
  /** Whether the same call may succeed later without any change. */
  readonly passes: boolean;
}

/** The outcome of latching one lease. */
export type LatchOutcome =
  | {
      readonly kind: "latched";
      readonly at: Instant;
      /** True if this latch stopped logins: a login may have been under way. */
      readonly wasOpen: boolean;
      /** The lease's original expiry. */
      readonly expiresAt?: Instant;
      /** When logins were stopped, by this latch or an earlier one. */
      readonly latchedAt?: Instant;
      readonly unverifiedAt?: Instant;
      /** Number of sessions that blocked the latch and were ended. */
      readonly ended: number;
      /** Some of them. */
      readonly who?: readonly SessionSeen[];
      /** Memberships that could not be revoked, in either direction. */
      readonly memberships: readonly Blocker[];
    }
  | { readonly kind: "not due"; readonly at: Instant; readonly expiresAt?: Instant }
  | { readonly kind: "gone" }
  /** A role with that name exists, but with another incarnation. */
  | { readonly kind: "other" }
  | { readonly kind: "foreign"; readonly why: string }
  /** The incarnation is not one that this engine creates. */
  | { readonly kind: "invalid"; readonly why: string }
  | EngineFailure;

/** Something that keeps a role from being dropped. */
export interface Blocker {
  /** The object's database, or `cluster` if it belongs to none. For sessions, the server's name. */
  readonly database: string;
  /** The catalog that lists the object. */
  readonly catalog: string;
  /**
   * How it depends: `owner`, `privilege`, `policy`, `membership`, `prepared`, `lock` or `session`;
   * or `server`, for a reader that could not be checked, or that has not replayed the latch.
   */
  readonly kind: string;
  readonly count: number;
  /** Why clearing it failed, or what the object still does. */
  readonly why?: string;
  /** The owner, if that is the lease's group. Such an object does not block the lease's DROP. */
  readonly of?: string;
}

/** Objects owned by a role of Mayfly that should own nothing there. */
export interface Stray extends Pick<Blocker, "database" | "catalog" | "count"> {
  readonly owner: string;
  /** Why Mayfly could not look up what the role owns. */
  readonly why?: string;
}

export type DropOutcome =
  | { readonly kind: "dropped"; readonly at: Instant }
  | { readonly kind: "gone" }
  | {
      readonly kind: "blocked";
      readonly blockers: readonly Blocker[];
      /** The blockers that contain no code: a janitor may clear them. */
      readonly litter: readonly Blocker[];
    }
  | EngineFailure;

export type LendOutcome =
  | { readonly kind: "lent" | "taken back" | "gone" }
  /** The role can log in, or has a session. */
  | { readonly kind: "in use" }
  | EngineFailure;

/** A lease that is lent to the janitor, and the databases that contain its litter. */
export interface Littered {
  readonly lease: LeaseRef;
  readonly databases: readonly string[];
}

/** Objects of a lease that a janitor has removed. */
export type Cleared = Pick<Blocker, "database" | "catalog" | "count">;

/** The outcome of clearing one lease's litter. */
export interface Clearance {
  readonly cleared: readonly Cleared[];
  /** What was not cleared, and why. */
  readonly failures: readonly { readonly database: string; readonly why: string }[];
  /** Another revocation has taken the lease back meanwhile. */
  readonly takenBack: boolean;
}

/**
 * Connects to the application databases and removes what lent leases own, acting as these leases.
 */
export interface Janitor {
  /** Remove objects without code, as many as time allows. Never rejects; safe to repeat. */
  clear(litter: readonly Littered[], until: Instant): Promise<readonly Clearance[]>;
}

/** A session, as the server describes it. */
export interface SessionSeen {
  readonly application?: string;
  readonly address?: string;
  readonly since?: Instant;
}

/** The result of one attempt to end the sessions of one role. */
export interface SessionsEnded {
  readonly server: string;
  readonly ended: number;
  readonly remaining: number;
  /** Some of them. */
  readonly who?: readonly SessionSeen[];
}

/** One incarnation of a role name. */
export type Incarnate = Pick<LeaseRef, "username" | "incarnation">;

/**
 * A database server as the ledger of leases. Every operation is safe to repeat. An operation on
 * several leases answers for each of them, in the same order.
 */
export interface Engine {
  issue(order: IssueOrder): Promise<IssueOutcome>;
  /**
   * Move the expiry to `ttlSeconds` from now, within the limits of the record and the declaration.
   * Does nothing to a latched lease.
   */
  renew(lease: LeaseRef, ttlSeconds?: number): Promise<RenewOutcome>;
  /** The role with that name, its sessions on the writer, and the database's clock. */
  look(username: string): Promise<Found>;
  /** Up to `limit` roles that are named like Mayfly's leases, after `after`, sorted by name. */
  list(after: string, limit: number): Promise<LeasePage>;
  /** Take away login, password and memberships, and commit. */
  latch(leases: readonly LeaseRef[], options: LatchOptions): Promise<readonly LatchOutcome[]>;
  /**
   * End every session on the writer, by incarnation, because a dropped role has no name. One
   * attempt.
   */
  endSessions(roles: readonly Incarnate[]): Promise<readonly SessionsEnded[]>;
  drop(leases: readonly LeaseRef[]): Promise<readonly DropOutcome[]>;
  /**
   * Lend latched leases without sessions to the janitor only, or take them back. A latch takes them
   * back too.
   */
  lend(leases: readonly LeaseRef[], way: "lend" | "take back"): Promise<readonly LendOutcome[]>;
  /**
   * Record since when a reader could not be checked; `undefined` if all were checked. For latched
   * leases only.
   */
  markUnverified(lease: LeaseRef, since: Instant | undefined): Promise<void>;
  /**
   * Objects that the groups of these dynamic roles own; without `roles`, of all Mayfly roles that
   * should own nothing. Ended leases may have left them.
   */
  findStrays(roles?: readonly string[]): Promise<readonly Stray[]>;
  /** Sessions, members and roles that no lease explains. */
  findUnknown(): Promise<Unknown>;
  /** The sessions of the watched users on the writer. */
  findWatched(): Promise<ServerLook>;
  /** Note what was seen of them on several servers; with an empty list, only read the notes. */
  noteWatched(looks: readonly ServerLook[]): Promise<readonly WatchedUser[]>;
  /** The server on which leases were created, and the server that answered. */
  sighting(): Promise<Sighting>;
  /** Record that leases now belong to this server. */
  recordServer(seen: ServerMark): Promise<void>;
}

/** What a sweep finds that no lease explains. */
export interface Unknown {
  /** Incarnations of open sessions whose role is gone. */
  readonly sessions: readonly string[];
  /** Members of dynamic roles' groups that Mayfly did not create. */
  readonly members: readonly { readonly role: string; readonly member: string }[];
}

export interface LeasePage {
  readonly roles: readonly Recognition[];
  readonly now: Instant;
  /** Continue after this name; absent on the last page. */
  readonly next?: string;
}

/** What one check of a reader found and did for one role. */
export interface ReaderLook {
  /** False for a server that is not a replica: it was promoted, or became the writer. */
  readonly replays: boolean;
  /** The role's state on the reader. `absent`: not created there yet, or already dropped. */
  readonly role: "open" | "latched" | "absent";
  readonly ended: number;
  readonly remaining: number;
  readonly who?: readonly SessionSeen[];
}

/**
 * A replica of the writer that accepts logins; the writer cannot see its sessions. Mayfly changes
 * nothing there. Every call is one attempt.
 */
export interface Reader {
  /** Its name in receipts: `host:port`, or its RDS identifier while it has no address. */
  readonly server: string;
  /** Read the state of roles, then end their sessions, by incarnation. */
  look(roles: readonly Incarnate[]): Promise<readonly ReaderLook[]>;
  countSessions(role: Incarnate): Promise<number>;
  /** Incarnations of open sessions whose role is gone. */
  sessionsWithoutRole(): Promise<readonly string[]>;
  /** The sessions of the watched users on this reader. */
  findWatched(): Promise<ServerLook>;
}

/** The address of a reader; if it has none, its name in receipts and why it cannot be reached. */
export type ReaderAddress =
  | {
      readonly host: string;
      readonly port: number;
      /** Its RDS status, unless that is `available`. */
      readonly status?: string;
    }
  | { readonly server: string; readonly error: Error };

/** The readers of a cluster. */
export interface Readers {
  /**
   * The current readers. Never rejects: a reader that cannot be listed becomes one that cannot be
   * reached.
   */
  list(): Promise<readonly Reader[]>;
  /** What went wrong with readers during one pass over many leases, by server; see `forOnePass`. */
  readonly faults?: Map<string, ReaderFault>;
}

export interface ReaderFault {
  readonly kind: "unreachable" | "late";
  /** The cause, in words for an operator. */
  readonly why: string;
}

export interface Found {
  /** Undefined if no role has that name. */
  readonly role?: Recognition;
  readonly sessions: number;
  readonly now: Instant;
}

export interface LatchOptions {
  /** Do not latch a lease that can log in and has not expired by the database's clock. */
  readonly onlyIfDue: boolean;
}

/** The lease of a schedule. */
export interface ScheduledLease {
  readonly leaseId: string;
  readonly incarnation: string;
}

/** The input of a schedule: the lease to revoke, or dropped leases for a second check. */
export type ScheduleInput = ScheduledLease | { readonly recheck: readonly ScheduledLease[] };

/** One-time schedules that call the revoker. */
export interface Scheduler {
  /** Create a schedule. `exists` if the name is taken: a name is never used for two purposes. */
  create(name: string, atEpochSeconds: number, input: ScheduleInput): Promise<"made" | "exists">;
  /** The names of all schedules of this database's group. */
  names(): Promise<readonly string[]>;
  /** The input of a schedule. Undefined if it is gone or not Mayfly's. */
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

/** The keys from which passwords of leases with an idempotency key are derived. */
export interface Peppers {
  current(): Promise<Pepper>;
  /** Undefined if Secrets Manager no longer has that version. */
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
  /** `secret`: the rotated secret, if the metric is not for the whole database. */
  measure(metric: Metric, value: number, secret?: string): void;
}

/** The provisioner, which prepares the database for leases. */
export interface Provisioner {
  /** Apply the deployed plan. Safe to repeat. */
  converge(): Promise<ConvergeReport>;
}

/** The dependencies of every use case that changes leases. */
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
