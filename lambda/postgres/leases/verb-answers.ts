import { DatabaseUnavailableError } from "../../../core/errors.ts";
import type {
  Blocker,
  DropOutcome,
  EngineFailure,
  IssueOutcome,
  LatchOutcome,
  LendOutcome,
  RenewOutcome,
} from "../../../core/leases/lease-ports.ts";
import type { Sighting } from "../../../core/leases/server.ts";
import type { Instant } from "../../../core/time.ts";
import { isSqlState } from "../connection/from-pg-error.ts";
import { CONTENDED, DENIED, DEPENDENTS, TRANSIENT } from "../connection/sqlstates.ts";
import type { RoleRow } from "./recognise.ts";
import { type SightingRow, timelineOf } from "./server-statements.ts";
import type { Verb } from "./verbs.ts";

/** The clock, and one role: what `list` and `look` answer. All else is null if there is no role. */
export interface ListedRow {
  readonly now: Instant;
  readonly incarnation: string | null;
  readonly username: string | null;
  readonly can_login: boolean | null;
  readonly valid_until: Instant | null;
  readonly privileged: boolean | null;
  readonly member_of: readonly string[] | null;
  readonly admins: readonly string[] | null;
  readonly record: string | null;
  readonly administers_itself: boolean | null;
}

/** The role in a row, if there is one. */
export function roleIn(row: ListedRow): RoleRow | undefined {
  const { incarnation, username, can_login, valid_until, privileged } = row;
  if (incarnation === null || username === null) return undefined;
  return {
    incarnation,
    username,
    canLogin: can_login === true,
    privileged: privileged !== false,
    memberOf: row.member_of ?? [],
    admins: row.admins ?? [],
    ...(valid_until !== null && { validUntil: valid_until }),
    ...(row.administers_itself === true && { administersItself: true }),
    ...(row.record !== null && { comment: row.record }),
  };
}

/** What `issue` answers. */
export interface IssueRow {
  readonly outcome: string;
  readonly counted: number | null;
  readonly bound: number | null;
  readonly login: string | null;
  readonly incarnation: string | null;
  readonly issued: Instant | null;
  readonly expires: Instant | null;
  readonly max_expires: Instant | null;
  readonly pepper_version: string | null;
  readonly dbname: string | null;
  readonly successor: boolean | null;
}

/** @throws DatabaseUnavailableError if the login was ended right after it was created. */
export function issueOutcome(row: IssueRow): IssueOutcome {
  const { outcome, counted, bound, login, incarnation, issued, expires, max_expires } = row;
  switch (outcome) {
    case "undeclared":
      return { kind: "undeclared" };
    case "ttl":
      return { kind: "ttl", maxTtlSeconds: bound ?? 0 };
    case "min remaining":
      return { kind: "min remaining", mostSeconds: bound ?? 0 };
    case "limit of role":
    case "limit of consumer": {
      const scope = outcome === "limit of role" ? "role" : "consumer";
      return { kind: "limit", scope, count: counted ?? 0, limit: bound ?? 0 };
    }
    case "issued":
    case "replayed":
      break;
    default:
      throw new Error(`verb issue answered ${outcome}`);
  }
  const times = { issuedAt: issued, expiresAt: expires, maxExpiresAt: max_expires };
  const { issuedAt, expiresAt, maxExpiresAt } = times;
  if (!login || !incarnation || issuedAt === null || expiresAt === null || maxExpiresAt === null)
    throw new DatabaseUnavailableError(
      "the login was ended right after it was created, and nobody has its password; ask again",
    );
  return {
    kind: outcome,
    username: login,
    incarnation,
    issuedAt,
    expiresAt,
    maxExpiresAt,
    ...(row.pepper_version !== null && { pepper: row.pepper_version }),
    dbname: row.dbname ?? "",
    successor: row.successor === true,
  };
}

/** What `renew` answers. */
export interface RenewRow {
  readonly outcome: string;
  readonly bound: number | null;
  readonly expires: Instant | null;
  readonly max_expires: Instant | null;
}

export function renewOutcome({ outcome, bound, expires, max_expires }: RenewRow): RenewOutcome {
  if (outcome === "undeclared" || outcome === "revoked" || outcome === "expired")
    return { kind: outcome };
  if (outcome === "ttl") return { kind: "ttl", maxTtlSeconds: bound ?? 0 };
  if (outcome !== "extended" || expires === null) return { kind: "not found" };
  return { kind: "extended", expiresAt: expires, maxExpiresAt: max_expires ?? expires };
}

/** A verb that failed with a SQLSTATE. A retry does not help if a privilege is missing. */
export const failed = (step: Verb, code: string): EngineFailure => ({
  kind: "failed",
  step,
  code,
  passes: !isSqlState(code) || TRANSIENT.test(code) || (CONTENDED.has(code) && code !== DENIED),
});

/** What `latch` answers for one lease. */
export interface LatchRow {
  readonly outcome: string;
  readonly why: string | null;
  readonly was_open: boolean;
  readonly at: Instant;
  readonly expires: Instant | null;
  readonly latched: Instant | null;
  readonly unverified: Instant | null;
  readonly ended: number;
  readonly memberships: number;
}

export function latchOutcome(row: LatchRow): LatchOutcome {
  const { outcome, at, expires, latched, unverified, ended, memberships: count } = row;
  switch (outcome) {
    case "gone":
    case "other":
      return { kind: outcome };
    case "foreign":
      return { kind: "foreign", why: row.why ?? "" };
    case "not due":
      return { kind: "not due", at, ...(expires !== null && { expiresAt: expires }) };
    case "latched":
      break;
    default:
      return failed("latch", outcome);
  }
  const left = { database: "cluster", catalog: "pg_auth_members", kind: "membership", count };
  return {
    kind: "latched",
    at,
    wasOpen: row.was_open,
    ...(expires !== null && { expiresAt: expires }),
    ...(latched !== null && { latchedAt: latched }),
    ...(unverified !== null && { unverifiedAt: unverified }),
    ended,
    memberships: count > 0 ? [left] : [],
  };
}

/**
 * Something depends on the role, or it has a prepared transaction. The next call finds out what.
 */
export interface Dependents {
  readonly kind: "dependents";
}

export function dropOutcome(outcome: string, at: Instant): DropOutcome | Dependents {
  if (outcome === "dropped") return { kind: "dropped", at };
  if (outcome === "gone") return { kind: "gone" };
  if (outcome === DEPENDENTS || outcome === "prepared") return { kind: "dependents" };
  return failed("drop_leases", outcome);
}

/** What keeps a lease's role, from the verb `blockers`. */
export type BlockerRow = Omit<Blocker, "count"> & { readonly counted: number };

/** What keeps a lease's role. Functions come first, because others may still run them. */
export function blockersIn(rows: readonly BlockerRow[]): readonly Blocker[] {
  const all = rows.map(({ counted, ...rest }) => ({
    ...rest,
    count: counted,
    ...(isCode(rest) && { why: RUNS_ON }),
  }));
  return [...all.filter(isCode), ...all.filter((each) => !isCode(each))];
}

const isCode = ({ catalog, kind }: Pick<Blocker, "catalog" | "kind">): boolean =>
  catalog === "pg_proc" && kind === "owner";

/** The hint for functions; their kind is known only in their own database. */
const RUNS_ON =
  "callers of this function still run it; a trigger function runs as the role that writes the table";

export function lendOutcome(outcome: string): LendOutcome {
  if (outcome === "lent" || outcome === "taken back" || outcome === "gone")
    return { kind: outcome };
  if (outcome === "in use" || outcome === "live") return { kind: "in use" };
  return failed("lend", outcome);
}

export function sightingIn({ instance, timeline, line }: SightingRow, serverId: string): Sighting {
  const seen = { instance: serverId, ...timelineOf(line) };
  if (instance === null) return { seen };
  return { stamped: { instance, ...(timeline !== null && { timeline }) }, seen };
}
