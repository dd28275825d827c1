import { InvalidRequestError } from "../../../core/errors.ts";
import type { LeaseRef } from "../../../core/leases/lease.ts";
import { formatLeaseName } from "../../../core/leases/lease-name.ts";
import type {
  Blocker,
  DropOutcome,
  Engine,
  Incarnate,
  LatchOptions,
  LatchOutcome,
  SessionSeen,
  Stray,
} from "../../../core/leases/lease-ports.ts";
import { groupRoleName } from "../../../core/names.ts";
import { type Instant, plus, seconds, type Time } from "../../../core/time.ts";
import { noteExhaustion } from "../connection/exhaustion.ts";
import type { Maintenance } from "../connection/maintenance.ts";
import { pause, retryContended } from "../connection/retry.ts";
import { scramVerifier } from "../connection/scram.ts";
import { CONTENDED, LOCKED } from "../connection/sqlstates.ts";
import { type CallDeps, call } from "./call.ts";
import { isLitter } from "./janitor.ts";
import { recognise } from "./recognise.ts";
import { mark, type SightingRow } from "./server-statements.ts";
import {
  type BlockerRow,
  blockersIn,
  type Dependents,
  dropOutcome,
  failed,
  type IssueRow,
  issueOutcome,
  type LatchRow,
  type ListedRow,
  latchOutcome,
  lendOutcome,
  type RenewRow,
  renewOutcome,
  roleIn,
  sightingIn,
} from "./verb-answers.ts";
import { findWatched, noteWatched } from "./watched.ts";

export interface EngineDeps {
  readonly maintenance: Pick<Maintenance, "query">;
  readonly tag: string;
  /** The server's name in receipts. */
  readonly server: string;
  /** An id that a copy of the server does not have. */
  readonly serverId: string;
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** Most leases in one call, which is one transaction: others wait only briefly for its locks. */
const MOST_LEASES = 100;
const MOST_SESSIONS = 250;

/**
 * The first issuer role always exists, and every issuer role may end the sessions of all leases.
 */
const ANY_SHARD = 0;

/** PostgreSQL as a lease engine: one verb per call, no decisions. */
export function postgresEngine(deps: EngineDeps): Engine {
  const { maintenance, tag, server } = deps;
  return {
    issue: async (order) => {
      const { name, password, ttlSeconds, replay, minRemainingSeconds, pepper } = order;
      const verifier = await scramVerifier(password);
      const values = [
        formatLeaseName(name),
        verifier,
        ttlSeconds ?? null,
        replay,
        minRemainingSeconds ?? null,
        pepper ?? null,
      ];
      return issueOutcome(await one<IssueRow>(deps, "issue", name.shard, values));
    },
    renew: async (lease, ttlSeconds) => {
      const values = [lease.username, oidOf(lease), ttlSeconds ?? null];
      return renewOutcome(await one<RenewRow>(deps, "renew", lease.name.shard, values));
    },
    look: async (username) => {
      const found = await one<ListedRow & { sessions: number }>(deps, "look", ANY_SHARD, [
        username,
      ]);
      const row = roleIn(found);
      return {
        ...(row && { role: recognise(row, tag) }),
        sessions: found.sessions,
        now: found.now,
      };
    },
    list: async (after, limit) => {
      const rows = await call<ListedRow>(deps, "list", ANY_SHARD, [after, limit]);
      const [first] = rows;
      if (first === undefined) throw new Error("verb list answered no row, not even the clock");
      const roles = rows.flatMap((row) => roleIn(row) ?? []);
      const last = roles.at(-1);
      return {
        roles: roles.map((row) => recognise(row, tag)),
        now: first.now,
        ...(roles.length === limit && last !== undefined && { next: last.username }),
      };
    },
    latch: async (leases, options) => {
      const valid = leases.filter((lease) => faultOf(lease) === undefined);
      const outcomes = await inBatches(valid, MOST_LEASES, (shard, batch) =>
        latch(deps, shard, batch, options),
      );
      return leases.map((lease) => {
        const why = faultOf(lease);
        if (why !== undefined) return { kind: "invalid", why };
        return outcomes[valid.indexOf(lease)] ?? failed("latch", "no answer");
      });
    },
    endSessions: async (roles) => {
      const rows = await endSessions(deps, roles, false);
      return rows.map(({ ended, remaining, who }) => ({ server, ended, remaining, ...who }));
    },
    drop: (leases) => inBatches(leases, MOST_LEASES, (shard, batch) => drop(deps, shard, batch)),
    lend: (leases, way) =>
      inBatches(leases, MOST_LEASES, (shard, batch) =>
        again(deps, batch, async (open) => {
          const values = [...listsOf(open), way === "lend"];
          const rows = await call<{ outcome: string }>(deps, "lend", shard, values);
          return rows.map(({ outcome }) => lendOutcome(outcome));
        }),
      ),
    markUnverified: async (lease, since) => {
      await call(deps, "annotate", lease.name.shard, [lease.username, oidOf(lease), since ?? null]);
    },
    findStrays: async (roles) => {
      const owners = roles && [...new Set(roles)].map((role) => groupRoleName(tag, role));
      const rows = await call<Omit<Stray, "count"> & { counted: number }>(
        deps,
        "strays",
        ANY_SHARD,
        [owners ?? null],
      );
      return rows.map(({ counted, ...rest }) => ({ ...rest, count: counted }));
    },
    findUnknown: async () => {
      const rows = await call<{ kind: string; subject: string; detail: string | null }>(
        deps,
        "sweep",
        ANY_SHARD,
        [],
      );
      const of = (kind: string) => rows.filter((row) => row.kind === kind);
      return {
        sessions: of("session").map(({ subject }) => subject),
        members: of("member").map(({ subject, detail }) => ({
          role: subject,
          member: detail ?? "",
        })),
      };
    },
    findWatched: () => findWatched(deps),
    noteWatched: (looks) => noteWatched(deps, looks),
    sighting: async () => {
      const [row] = await call<SightingRow>(deps, "sighting", ANY_SHARD, []);
      if (row === undefined) throw new Error("the server was looked at, and nothing was seen");
      return sightingIn(row, deps.serverId);
    },
    recordServer: async (seen) => {
      await retryContended("move the stamp", deps, () =>
        maintenance.query("move the stamp", mark(tag, seen), CONTENDED),
      );
    },
  };
}

const OID = /^[1-9][0-9]{0,9}$/;
/** Lower OIDs belong to the system (PostgreSQL's `FirstNormalObjectId`). */
const FIRST_USER_OID = 16_384;

function faultOf({ incarnation }: Pick<LeaseRef, "incarnation">): string | undefined {
  const oid = OID.test(incarnation) ? Number(incarnation) : 0;
  return oid >= FIRST_USER_OID && oid < 2 ** 32
    ? undefined
    : `incarnation "${incarnation}" is not the OID of a role; send the incarnation in the lease's schedule`;
}

/** @throws InvalidRequestError for an incarnation that no PostgreSQL role can have. */
function oidOf(lease: Pick<LeaseRef, "incarnation">): string {
  const why = faultOf(lease);
  if (why !== undefined) throw new InvalidRequestError(why);
  return lease.incarnation;
}

const one = async <Row extends object>(
  deps: EngineDeps,
  verb: "issue" | "renew" | "look",
  shard: number,
  values: readonly unknown[],
): Promise<Row> => {
  const rows = await call<Row>(deps, verb, shard, values);
  const [row] = rows;
  if (row === undefined || rows.length > 1)
    throw new Error(`verb ${verb} answered ${rows.length} rows instead of one`);
  return row;
};

/**
 * Call a verb for leases, grouped by issuer role, in calls of limited size. Leases are sorted by
 * name, so that two concurrent calls cannot deadlock.
 *
 * @returns the answers in the order of the leases.
 */
async function inBatches<T>(
  leases: readonly LeaseRef[],
  most: number,
  run: (shard: number, batch: readonly LeaseRef[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const answers = new Map<LeaseRef, T>();
  const sorted = leases.toSorted((a, b) => (a.username < b.username ? -1 : 1));
  for (const [shard, own] of Map.groupBy(sorted, ({ name }) => name.shard))
    for (let start = 0; start < own.length; start += most) {
      const batch = own.slice(start, start + most);
      for (const [i, answer] of (await run(shard, batch)).entries()) {
        const lease = batch[i];
        if (lease !== undefined) answers.set(lease, answer);
      }
    }
  return leases.map((lease) => {
    const answer = answers.get(lease);
    if (answer === undefined) throw new Error(`no answer came for lease ${lease.username}`);
    return answer;
  });
}

const listsOf = (leases: readonly Incarnate[]): readonly [string[], string[]] => [
  leases.map(({ username }) => username),
  leases.map(oidOf),
];

/** Attempts for contended leases. */
const ATTEMPTS = 6;

/**
 * Most leases per call if sessions are ended too: each may take three seconds, and a statement has
 * ten.
 */
const MOST_STUBBORN = 2;
/** The time for such leases in one batch: the other leases must be ended and dropped too. */
const STUBBORN_PATIENCE = seconds(12);

/**
 * Latch leases. A session of a lease may hold a lock, and its application may reconnect faster than
 * Mayfly ends sessions. So first try without ending sessions; then end all their sessions and try
 * again; then try a few leases at a time, ending each one's sessions in the same call.
 */
async function latch(
  deps: EngineDeps,
  shard: number,
  batch: readonly LeaseRef[],
  { onlyIfDue }: LatchOptions,
): Promise<readonly LatchOutcome[]> {
  const early = new Map<LeaseRef, EndedAnswer>();
  const deadline = plus(deps.time.now(), STUBBORN_PATIENCE);
  const outcomes = await again(deps, batch, async (open, attempt) => {
    if (attempt === 2)
      for (const [i, ended] of (await endSessions(deps, open, false)).entries()) {
        const lease = open[i];
        if (lease !== undefined) early.set(lease, ended);
      }
    const isStubborn = attempt > 2;
    const most = isStubborn ? MOST_STUBBORN : MOST_LEASES;
    const found: LatchOutcome[] = [];
    for (let start = 0; start < open.length; start += most) {
      if (isStubborn && deps.time.now() > deadline) {
        found.push(...open.slice(start).map(() => failed("latch", LOCKED)));
        break;
      }
      const values = [...listsOf(open.slice(start, start + most)), onlyIfDue, isStubborn];
      const rows = await call<LatchRow>(deps, "latch", shard, values);
      found.push(...rows.map(latchOutcome));
    }
    return found;
  });
  return outcomes.map((outcome, i) => {
    const lease = batch[i];
    const before = lease && early.get(lease);
    return outcome.kind === "latched" && before !== undefined
      ? { ...outcome, ended: outcome.ended + before.ended, ...before.who }
      : outcome;
  });
}

async function drop(
  deps: EngineDeps,
  shard: number,
  batch: readonly LeaseRef[],
): Promise<readonly DropOutcome[]> {
  const outcomes = await again<DropOutcome | Dependents>(deps, batch, async (open) => {
    const rows = await call<{ outcome: string; at: Instant }>(
      deps,
      "drop_leases",
      shard,
      listsOf(open),
    );
    return rows.map(({ outcome, at }) => dropOutcome(outcome, at));
  });
  const named: DropOutcome[] = [];
  for (const [i, outcome] of outcomes.entries()) {
    const lease = batch[i];
    if (outcome.kind === "failed" && outcome.code === LOCKED) {
      const lock = { database: "cluster", catalog: "pg_authid", kind: "lock", count: 1 };
      named.push({ kind: "blocked", blockers: [lock], litter: [] });
    } else if (outcome.kind !== "dependents" || lease === undefined)
      named.push(outcome as DropOutcome);
    else {
      const blockers = await blockersOf(deps, lease);
      named.push({ kind: "blocked", blockers, litter: blockers.filter(isLitter) });
    }
  }
  return named;
}

async function blockersOf(deps: EngineDeps, lease: LeaseRef): Promise<readonly Blocker[]> {
  const values = [lease.username, oidOf(lease)];
  return blockersIn(await call<BlockerRow>(deps, "blockers", 0, values));
}

/** Repeat the call for contended leases until none is left or the attempts are used up. */
async function again<T extends { readonly kind: string }>(
  deps: EngineDeps,
  batch: readonly LeaseRef[],
  run: (open: readonly LeaseRef[], attempt: number) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const outcomes: T[] = [];
  let indexes = batch.map((_, index) => index);
  for (let attempt = 1; indexes.length > 0; attempt++) {
    if (attempt > 1) await deps.time.wait(pause(attempt, deps.random));
    const open = indexes.flatMap((index) => batch[index] ?? []);
    const found = await run(open, attempt);
    // the call succeeded; the verb reports exhaustion per lease
    for (const code of new Set(found.map(codeOf))) noteExhaustion(code);
    for (const [i, index] of indexes.entries()) {
      const outcome = found[i];
      if (outcome !== undefined) outcomes[index] = outcome;
    }
    indexes = attempt < ATTEMPTS ? indexes.filter((index) => isContended(outcomes[index])) : [];
  }
  return outcomes;
}

const codeOf = (outcome: { readonly kind: string } | undefined): string | undefined =>
  outcome?.kind === "failed" ? (outcome as { readonly code?: string }).code : undefined;

const isContended = (outcome: { readonly kind: string } | undefined): boolean =>
  CONTENDED.has(codeOf(outcome) ?? "");

interface EndedRow {
  readonly state: "open" | "latched" | "absent";
  readonly replays: boolean;
  readonly ended: number;
  readonly remaining: number;
  readonly who: readonly SessionRow[] | null;
}

interface SessionRow {
  readonly application: string | null;
  readonly address: string | null;
  readonly since: Instant | null;
}

/** The answer of the verb `end_sessions` for one role, on the writer or a reader. */
export type EndedAnswer = Omit<EndedRow, "who"> & {
  readonly who: { readonly who?: readonly SessionSeen[] };
};

/** One attempt to end the sessions of roles on one server. */
export async function endSessions(
  deps: CallDeps,
  roles: readonly Incarnate[],
  reader: boolean,
): Promise<readonly EndedAnswer[]> {
  const answers: EndedAnswer[] = [];
  for (let start = 0; start < roles.length; start += MOST_SESSIONS) {
    const batch = roles.slice(start, start + MOST_SESSIONS);
    const rows = await call<EndedRow>(deps, "end_sessions", ANY_SHARD, [...listsOf(batch), reader]);
    for (const { who, ...row } of rows) {
      // the server hides details of sessions from other roles
      const known = (who ?? []).map(sessionSeen).filter((each) => Object.keys(each).length > 0);
      answers.push({ ...row, who: known.length > 0 ? { who: known } : {} });
    }
  }
  return answers;
}

const sessionSeen = ({ application, address, since }: SessionRow): SessionSeen => ({
  ...(application !== null && application !== "" && { application }),
  ...(address !== null && { address }),
  ...(since !== null && { since }),
});
