import { StatementRejectedError } from "../../../core/errors.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import type {
  Blocker,
  Clearance,
  Cleared,
  Janitor,
  Littered,
} from "../../../core/leases/lease-ports.ts";
import { groupRoleName } from "../../../core/names.ts";
import { reasonOf } from "../../../core/reason.ts";
import { type Instant, plus, seconds, type Time } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";
import type { LoginSource } from "../connection/maintenance.ts";
import { openSession, type Session } from "../connection/session.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";
import { WRONG_PASSWORD } from "../connection/sqlstates.ts";

export interface JanitorDeps {
  /** The janitor's login; its database is ignored. */
  readonly login: LoginSource;
  /** The time limit of its connections. */
  readonly connect: Limits["connect"];
  readonly time: Pick<Time, "now">;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const LARGE_OBJECTS = "pg_largeobject";
const DEFAULT_PRIVILEGES = "pg_default_acl";

/** Whether a blocker is of a kind that contains no code. */
export const isLitter = ({ catalog, kind }: Pick<Blocker, "catalog" | "kind">): boolean =>
  kind === "owner" && (catalog === LARGE_OBJECTS || catalog === DEFAULT_PRIVILEGES);

/**
 * Most objects in one transaction: each needs an entry in the server's lock table until the commit.
 */
const OBJECTS_TOGETHER = 500;
/** After this many failures, the rest of the lease is left to the next attempt. */
const MOST_STUBBORN = 10;
/** The time for one lease, so that one lease's litter cannot use up the time of all. */
const SHARE = seconds(2);
const BOUNDS = { statement: SHARE, lock: seconds(0.2) };

const NO_TIME = "there was no time left; the next attempt continues";

/** The outcome for one lease so far. */
interface Progress {
  readonly cleared: Cleared[];
  readonly failures: { database: string; why: string }[];
  takenBack: boolean;
}

/**
 * Clears litter as the janitor, database by database, on one connection at a time, in random order.
 */
export function postgresJanitor(deps: JanitorDeps): Janitor {
  return {
    clear: async (litter, until) => {
      const progress = new Map<Littered, Progress>(
        litter.map((each) => [each, { cleared: [], failures: [], takenBack: false }]),
      );
      const databases = [...new Set(litter.flatMap((each) => each.databases))];
      for (const database of shuffled(databases, deps.random)) {
        const here = litter.filter((each) => each.databases.includes(database));
        await clearIn(deps, database, shuffled(here, deps.random), until, progress);
      }
      return litter.map((each): Clearance => progress.get(each) ?? NOTHING);
    },
  };
}

const NOTHING: Clearance = { cleared: [], failures: [], takenBack: false };

const shuffled = <T>(all: readonly T[], random: () => number): readonly T[] =>
  all
    .map((each) => ({ each, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ each }) => each);

async function clearIn(
  deps: JanitorDeps,
  database: string,
  litter: readonly Littered[],
  until: Instant,
  progress: ReadonlyMap<Littered, Progress>,
): Promise<void> {
  const isLate = (): boolean => deps.time.now() >= until;
  const failAll = (why: string): void => {
    for (const each of litter) progress.get(each)?.failures.push({ database, why });
  };
  if (isLate()) return failAll(NO_TIME);
  const session = await openAs(deps, database).catch(reasonOf);
  if (typeof session === "string") return failAll(session);
  try {
    for (const each of litter) {
      const own = progress.get(each);
      if (own === undefined) continue;
      const deadline = Math.min(until, plus(deps.time.now(), SHARE));
      await clearAs(session, each.lease, {
        mayContinue: () => deps.time.now() < deadline,
        note: (catalog, count) => {
          if (count > 0) own.cleared.push({ database, catalog, count });
        },
        fail: (why) => own.failures.push({ database, why }),
        takenBack: () => {
          own.takenBack = true;
        },
      });
    }
  } finally {
    await session.end();
  }
}

/** Retry if the janitor's password was rotated after it was read. */
async function openAs({ login, connect }: JanitorDeps, database: string) {
  const open = async (fresh: boolean) =>
    openSession({ ...(await login({ fresh })), database }, { ...BOUNDS, connect });
  return open(false).catch((error: unknown) => {
    if (!(error instanceof StatementRejectedError) || error.engineCode !== WRONG_PASSWORD)
      throw error;
    return open(true);
  });
}

/** The parameters of clearing one lease in one database. */
interface Work {
  readonly mayContinue: () => boolean;
  readonly note: (catalog: string, count: number) => void;
  readonly fail: (why: string) => void;
  readonly takenBack: () => void;
}

/**
 * Everything is done as the lease, which has no privileges left. Each kind of object can fail
 * separately; what was removed is reported anyway.
 */
async function clearAs(session: Session, lease: Littered["lease"], work: Work): Promise<void> {
  if (!work.mayContinue()) return work.fail(NO_TIME);
  const step = "become a lease that is lent";
  try {
    await session.rows(step, sql`set role ${ident(lease.username)}`);
  } catch (error) {
    // the role is gone, or another revocation has taken it back meanwhile
    return error instanceof StatementRejectedError ? work.takenBack() : work.fail(reasonOf(error));
  }
  for (const clear of [clearLargeObjects, clearDefaultPrivileges])
    await clear(session, lease, work).catch((error: unknown) => work.fail(reasonOf(error)));
  await session
    .rows(step, sql`set role none`)
    .catch((error: unknown) => work.fail(reasonOf(error)));
}

/** `$1` a lease's OID, `$2` OIDs to skip. Uses an index, so other objects do not slow it down. */
const largeObjects = sql`
select s.objid::text as oid from pg_catalog.pg_shdepend s
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.refobjid = $1::oid
  and s.classid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass and s.deptype = 'o'
  and s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  and s.objid <> all ($2::oid[])
order by s.objid limit ${OBJECTS_TOGETHER.toString() as Sql}`;

/** `$1` OIDs. Returns those with data; 262144 is `INV_READ`, 2 is `SEEK_END`. */
const holdingData = sql`
select o.oid::text as oid from pg_catalog.unnest($1::oid[]) as o (oid)
where pg_catalog.lo_lseek64(pg_catalog.lo_open(o.oid, 262144), 0, 2) > 0`;

/** `$1` OIDs. */
const unlink = sql`
select pg_catalog.count(pg_catalog.lo_unlink(o.oid)) as count
from pg_catalog.unnest($1::oid[]) as o (oid)`;

/**
 * `$1` a group. Whether its leases can have stored references to large objects in a table. Unknown
 * if the group is gone.
 */
const mayRefer = sql`
select not exists (select from pg_catalog.pg_roles g where g.rolname = $1::name) or exists (
  select from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join pg_catalog.pg_attribute t on t.attrelid = c.oid and t.attacl is not null
  cross join lateral (select * from pg_catalog.aclexplode(c.relacl)
    union all select * from pg_catalog.aclexplode(t.attacl)) a
  left join pg_catalog.pg_roles g on g.oid = a.grantee
  where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    and a.privilege_type in ('INSERT', 'UPDATE') and (a.grantee = 0 or g.rolname = $1::name)) as may`;

const HOLDS_DATA = "large objects with data are kept: rows that the lease wrote may refer to them";

async function clearLargeObjects(
  session: Session,
  { username, incarnation }: Littered["lease"],
  { mayContinue, note, fail }: Work,
): Promise<void> {
  const step = "remove large objects";
  const name = parseLeaseName(username);
  const group = name === undefined ? "" : groupRoleName(name.tag, name.role);
  const [refers] = await session.rows<{ may: boolean }>(step, mayRefer, [group]);
  const left: string[] = [];
  let stubborn: unknown;
  const remove = async (oids: readonly string[]): Promise<void> => {
    const [row] = await session.rows<{ count: string }>(step, unlink, [oids]);
    removed += Number(row?.count ?? 0);
  };
  let removed = 0;
  let kept = 0;
  try {
    while (mayContinue() && left.length - kept < MOST_STUBBORN) {
      const found = await session.rows<{ oid: string }>(step, largeObjects, [incarnation, left]);
      if (found.length === 0) break;
      const all = found.map(({ oid }) => oid);
      const full =
        refers?.may === true ? await session.rows<{ oid: string }>(step, holdingData, [all]) : [];
      kept += full.length;
      left.push(...full.map(({ oid }) => oid));
      const litter = all.filter((oid) => !left.includes(oid));
      await remove(litter).catch(async () => {
        // an object that is locked or takes long does not block the others
        for (const oid of litter) {
          if (!mayContinue() || left.length - kept >= MOST_STUBBORN) return;
          await remove([oid]).catch((error: unknown) => {
            stubborn = error;
            left.push(oid);
          });
        }
      });
    }
  } finally {
    note(LARGE_OBJECTS, removed);
  }
  if (kept > 0) fail(HOLDS_DATA);
  if (stubborn !== undefined) fail(reasonOf(stubborn));
  else if (!mayContinue()) fail(NO_TIME);
}

/** `$1` a lease. The default privileges that it has set. */
const entries = sql`
from pg_catalog.pg_default_acl d join pg_catalog.pg_roles r on r.oid = d.defaclrole
where r.rolname = $1::name`;

/**
 * `$1` a lease. Statements that reset each entry to PostgreSQL's own default (`acldefault`), which
 * removes it; none for unknown kinds. The server quotes the names, because their length may differ
 * in another encoding.
 */
const restoring = sql`
select pg_catalog.array_remove(array[
  case when a.grantees is not null then pg_catalog.format(
    'alter default privileges for role %I %srevoke all on %s from %s', e.lease, e.namespace, e.kind, a.grantees) end,
  case when e.namespace = '' then pg_catalog.format(
    'alter default privileges for role %I grant all on %s to %I', e.lease, e.kind, e.lease) end,
  case when e.namespace = '' and e.kind in ('functions', 'types') then pg_catalog.format(
    'alter default privileges for role %I grant %s on %s to public', e.lease,
    case e.kind when 'types' then 'usage' else 'execute' end, e.kind) end], null) as statements
from (select r.rolname as lease, d.defaclacl as acl,
    coalesce((select pg_catalog.format('in schema %I ', n.nspname) from pg_catalog.pg_namespace n
      where n.oid = d.defaclnamespace), '') as namespace,
    case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
      when 'T' then 'types' when 'n' then 'schemas' when 'L' then 'large objects' end as kind
  ${entries}) e
left join lateral (select pg_catalog.string_agg(distinct
    case when x.grantee = 0 then 'public' else pg_catalog.quote_ident(g.rolname) end, ', ') as grantees
  from pg_catalog.aclexplode(e.acl) x left join pg_catalog.pg_roles g on g.oid = x.grantee
  where x.grantee = 0 or g.oid is not null) a on true
where e.kind is not null`;

/**
 * Refuse event triggers that would run at such a statement, in a session that may become other
 * leases.
 */
const eventTriggers = sql`
select pg_catalog.quote_ident(e.evtname) as name from pg_catalog.pg_event_trigger e
where e.evtenabled <> 'D' and e.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
  and (e.evttags is null or 'ALTER DEFAULT PRIVILEGES' = any (e.evttags))
order by 1 limit 1`;

async function clearDefaultPrivileges(
  session: Session,
  { username }: Littered["lease"],
  { mayContinue, note, fail }: Work,
): Promise<void> {
  const step = "remove default privileges";
  const count = async (): Promise<number> =>
    Number(
      (await session.rows<{ n: string }>(step, sql`select count(*) as n ${entries}`, [username]))[0]
        ?.n,
    );
  const before = await count();
  if (before === 0) return;
  const [trigger] = await session.rows<{ name: string }>(step, eventTriggers);
  if (trigger !== undefined)
    return fail(
      `the event trigger ${JSON.stringify(trigger.name)} would run as the janitor; see docs/revocation.md#litter`,
    );
  const found = await session.rows<{ statements: readonly Sql[] }>(step, restoring, [username]);
  let failures = 0;
  let last: unknown;
  for (const { statements } of found) {
    if (!mayContinue() || failures >= MOST_STUBBORN) break;
    await session.apply(step, statements).catch((error: unknown) => {
      last = error;
      failures += 1;
    });
  }
  note(DEFAULT_PRIVILEGES, before - (await count()));
  if (last !== undefined) fail(reasonOf(last));
  else if (!mayContinue()) fail(NO_TIME);
}
