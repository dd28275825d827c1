import type { RoleRow } from "../../../core/leases/lease.ts";
import { formatLeaseName } from "../../../core/leases/lease-name.ts";
import type {
  Blocker,
  DropOutcome,
  ExtendOutcome,
  Found,
  IssueOutcome,
  LatchOutcome,
  LeaseRef,
  Ledger,
} from "../../../core/leases/ports.ts";
import type { Sighting } from "../../../core/leases/server.ts";
import type { Instant, Time } from "../../../core/time.ts";
import { sqlStateOf } from "../connection/from-pg-error.ts";
import type { Maintenance } from "../connection/maintenance.ts";
import { CONTENDED, retryContended } from "../connection/retry.ts";
import type { Sql } from "../connection/sql.ts";
import { issue } from "./issue-statement.ts";
import * as leases from "./lease-statements.ts";
import * as revocation from "./revoke-statements.ts";
import { mark, type SightingRow, sighting, timelineOf } from "./server-statements.ts";

export interface LedgerDeps {
  readonly maintenance: Pick<Maintenance, "query">;
  readonly tag: string;
  /** The server's name in receipts. */
  readonly server: string;
  /** What tells the server from a copy of it. */
  readonly serverId: string;
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What every statement about one role answers. */
interface Answer {
  readonly outcome: string;
  readonly now: number;
}

interface Latched extends Answer {
  /** How many could not be revoked. */
  readonly memberships: number;
}

type Row = Answer & { readonly [Column in keyof RoleRow]: RoleRow[Column] | null };

/** SQLSTATE: objects, privileges or policies of the role still exist. */
const DEPENDENTS = "2BP01";
/** SQLSTATE: something the role did is not over, such as a prepared transaction. */
const LOCKED = "55P03";
/** A lock is not waited for again: the lease's own sessions may hold it, and are ended first. */
const TOLD_BY_LATCH: ReadonlySet<string> = new Set(
  [...CONTENDED].filter((code) => code !== LOCKED),
);
const TOLD_BY_DROP: ReadonlySet<string> = new Set([...CONTENDED, DEPENDENTS]);

/** The database as the ledger of leases: one function a statement, no decisions. */
export function postgresLedger(deps: LedgerDeps): Ledger {
  const { maintenance, tag, server } = deps;
  const contended = <T>(step: string, statement: Sql): Promise<readonly T[]> =>
    retryContended(step, deps, () => maintenance.query<T>(step, statement, CONTENDED));
  const one = async <T>(step: string, statement: Sql): Promise<T> =>
    only(step, await contended<T>(step, statement));

  return {
    issue: async (order) =>
      issueOutcome(formatLeaseName(order.name), await one<Row>("issue", issue(order))),
    extend: async (lease, ttlSeconds, until) =>
      extendOutcome(await one<Row>("renew", leases.extend(lease, ttlSeconds, until))),
    find: async (username): Promise<Found> => {
      const found = await one<Row & { sessions: number }>("find", leases.find(username));
      const { now, sessions } = found;
      return { ...rowIn(found), sessions, now: now as Instant };
    },
    page: async (after, limit) => {
      const rows = await contended<Row>("list", leases.page(tag, after, limit));
      const present = rows.flatMap((row) => rowIn(row).row ?? []);
      const [first] = rows;
      if (first === undefined) throw new Error("step list answered no row, not even the clock");
      return { rows: present, now: first.now as Instant };
    },
    latch: async (lease, options) => {
      const rows = await retryContended("latch", deps, () =>
        maintenance.query<Latched>("latch", revocation.latch(lease, options), TOLD_BY_LATCH),
      );
      return latchOutcome(server, only("latch", rows));
    },
    endSessions: async (roleOid, username) => {
      const counted = await one<{ ended: number; remaining: number }>(
        "end sessions",
        revocation.endSessions(roleOid, username),
      );
      return [{ server, ...counted }];
    },
    drop: async (lease): Promise<DropOutcome> => {
      const dropped = await retryContended("drop", deps, () => dropOnce(maintenance, lease));
      if (dropped !== DEPENDENTS) return dropped;
      const found = await contended<Blocker>("find blockers", revocation.blockers(lease));
      return { kind: "blocked", blockers: found };
    },
    annotate: async (lease, record) => {
      await contended("annotate", revocation.annotate(lease, record));
    },
    sessionsWithoutRole: async () =>
      (await contended<{ oid: number }>("find sessions", revocation.sessionsWithoutRole)).map(
        ({ oid }) => oid,
      ),
    sighting: async () =>
      sightingIn(await one<SightingRow>("look at the server", sighting(tag)), deps.serverId),
    settle: async (seen) => {
      await one("move the stamp", mark(tag, seen));
    },
  };
}

async function dropOnce(
  maintenance: LedgerDeps["maintenance"],
  lease: LeaseRef,
): Promise<DropOutcome | typeof DEPENDENTS> {
  try {
    const rows = await maintenance.query<Answer>("drop", revocation.drop(lease), TOLD_BY_DROP);
    const { outcome, now } = only("drop", rows);
    return outcome === "dropped" ? { kind: "dropped", at: now as Instant } : { kind: "gone" };
  } catch (error) {
    const code = sqlStateOf(error);
    if (code === DEPENDENTS) return DEPENDENTS;
    if (code !== LOCKED) throw error;
    const lock = { database: "cluster", catalog: "pg_authid", kind: "lock", count: 1 };
    return { kind: "blocked", blockers: [lock] };
  }
}

function only<T>(step: string, rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined || rows.length > 1)
    throw new Error(`step ${step} answered ${rows.length} rows instead of one`);
  return row;
}

function rowIn(row: Row): { readonly row?: RoleRow } {
  const { oid, username, canLogin, validUntil, privileged, memberOf, admins, comment } = row;
  const { administersItself } = row;
  if (oid === null || username === null) return {};
  return {
    row: {
      oid,
      username,
      canLogin: canLogin === true,
      privileged: privileged !== false,
      memberOf: memberOf ?? [],
      admins: admins ?? [],
      ...(typeof validUntil === "number" && { validUntil }),
      ...(administersItself === true && { administersItself }),
      ...(typeof comment === "string" && { comment }),
    },
  };
}

function issueOutcome(username: string, answer: Row): IssueOutcome {
  const [kind, detail] = answer.outcome.split(" ");
  if (kind === "role" || kind === "consumer")
    return { kind: "limit", scope: kind, live: Number(detail) };
  const { row } = rowIn(answer);
  if (row === undefined) throw new Error(`login ${username} was made but cannot be seen`);
  return { kind: kind === "replayed" ? kind : "issued", row };
}

function extendOutcome(answer: Row): ExtendOutcome {
  const { outcome, validUntil, now } = answer;
  if (outcome === "revoked" || outcome === "expired") return { kind: outcome };
  if (outcome !== "extended" || typeof validUntil !== "number") return { kind: "not found" };
  return { kind: "extended", expiresAt: validUntil, now: now as Instant };
}

function sightingIn({ instance, timeline, line }: SightingRow, serverId: string): Sighting {
  const seen = { instance: serverId, ...timelineOf(line) };
  if (instance === null) return { seen };
  return { stamped: { instance, ...(timeline !== null && { timeline }) }, seen };
}

function latchOutcome(server: string, { outcome, now, memberships }: Latched): LatchOutcome {
  if (outcome === "not due" || outcome === "gone") return { kind: outcome };
  const [, ended] = outcome.split(" ");
  const left = {
    database: "cluster",
    catalog: "pg_auth_members",
    kind: "membership",
    count: memberships,
  };
  return {
    kind: "latched",
    at: now as Instant,
    sessions: [{ server, ended: Number(ended), remaining: 0 }],
    memberships: memberships > 0 ? [left] : [],
  };
}
