import type { Instant } from "../time.ts";

/** What was seen of one watched user on one server. */
export interface WatchedSessions {
  readonly username: string;
  readonly sessions: number;
  /** Some of the names that its sessions gave themselves. */
  readonly applications: readonly string[];
}

/** One look at one server. */
export interface ServerLook {
  readonly server: string;
  /**
   * Every watched user, with or without sessions. Undefined if the server could not be looked at.
   */
  readonly users?: readonly WatchedSessions[];
}

/** What sweeps have noted of one user on one server. Times are by the database's clock. */
export interface ServerNote {
  readonly server: string;
  /** How many sweeps looked there, 0 or more. */
  readonly looks: number;
  readonly lookedAt?: Instant;
  /** When a sweep last could not look there. */
  readonly missedAt?: Instant;
  /** When a sweep last saw a session there. */
  readonly seenAt?: Instant;
  /** At the last look. */
  readonly sessions: number;
  /** When the user was seen last. */
  readonly applications: readonly string[];
}

/** A watched user, and what sweeps have noted. */
export interface WatchedUser {
  readonly username: string;
  /** `open`: may log in. `shut`: may not. `absent`: there is no such user. */
  readonly role: "open" | "shut" | "absent";
  readonly since: Instant;
  /** `first`: this sweep is the first that saw it. `again`: the last time was a day ago or longer. */
  readonly news?: "first" | "again";
  /** Sorted by name. */
  readonly servers: readonly ServerNote[];
}
