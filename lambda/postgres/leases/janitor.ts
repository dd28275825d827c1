import { StatementRejectedError } from "../../../core/errors.ts";
import type { Blocker, Clearance, Cleared, Janitor, Littered } from "../../../core/leases/ports.ts";
import { reasonOf } from "../../../core/reason.ts";
import { type Instant, plus, seconds, type Time } from "../../../core/time.ts";
import type { Limits } from "../connection/login.ts";
import type { LoginSource } from "../connection/maintenance.ts";
import { openSession, type Session } from "../connection/session.ts";
import { ident, integer, joined, type Sql, sql } from "../connection/sql.ts";
import { WRONG_PASSWORD } from "../connection/sqlstates.ts";

export interface JanitorDeps {
  /** The janitor's login; its database is left aside. */
  readonly login: LoginSource;
  readonly limits: Limits;
  readonly time: Pick<Time, "now">;
}

const LARGE_OBJECTS = "pg_largeobject";
const DEFAULT_PRIVILEGES = "pg_default_acl";

/** Whether a blocker carries no code and holds nothing but itself: it may be removed unseen. */
export const isLitter = ({ catalog, kind }: Pick<Blocker, "catalog" | "kind">): boolean =>
  kind === "owner" && (catalog === LARGE_OBJECTS || catalog === DEFAULT_PRIVILEGES);

/** Each takes a place in the server's table of locks until its transaction is over. */
const OBJECTS_TOGETHER = 500;
/** What one call spends: a lease may have made millions, and the next sweep goes on. */
const PATIENCE = seconds(8);

/** Clears litter as the janitor, database by database, on one connection at a time. */
export function postgresJanitor(deps: JanitorDeps): Janitor {
  return {
    clear: async (litter) => {
      const until = plus(deps.time.now(), PATIENCE);
      const found = new Map<Littered, Clearance[]>(litter.map((each) => [each, []]));
      for (const database of new Set(litter.flatMap(({ databases }) => databases))) {
        const here = litter.filter(({ databases }) => databases.includes(database));
        const clearances = await clearIn(deps, database, here, until);
        for (const [i, each] of here.entries())
          found.get(each)?.push(clearances[i] ?? { state: "done", cleared: [] });
      }
      return litter.map((each) => together(found.get(each) ?? []));
    },
  };
}

/** The worst of what became of one lease in several databases. */
function together(all: readonly Clearance[]): Clearance {
  const worst =
    all.find(({ state }) => state === "failed") ?? all.find(({ state }) => state === "taken back");
  return { state: "done", ...worst, cleared: all.flatMap(({ cleared }) => cleared) };
}

async function clearIn(
  deps: JanitorDeps,
  database: string,
  litter: readonly Littered[],
  until: Instant,
): Promise<readonly Clearance[]> {
  const session = await openAs(deps, database).catch(failed);
  if ("state" in session) return litter.map(() => session);
  const clearances: Clearance[] = [];
  try {
    for (const { lease } of litter) {
      const cleared: Cleared[] = [];
      const mayContinue = (): boolean => deps.time.now() < until;
      const end = await clearAs(session, lease.username, mayContinue, (catalog, count) =>
        cleared.push({ database, catalog, count }),
      ).then(() => undefined, failed);
      clearances.push({ state: "done", ...end, cleared });
    }
  } finally {
    await session.end();
  }
  return clearances;
}

/** Its password may have been rotated since it was read. */
async function openAs({ login, limits }: JanitorDeps, database: string) {
  const open = async (fresh: boolean) =>
    openSession({ ...(await login({ fresh })), database }, limits);
  return open(false).catch((error: unknown) => {
    if (!(error instanceof StatementRejectedError) || error.engineCode !== WRONG_PASSWORD)
      throw error;
    return open(true);
  });
}

function failed(error: unknown): Clearance {
  if (error instanceof StatementRejectedError && error.step === BECOME)
    return { state: "taken back", cleared: [] };
  return { state: "failed", why: reasonOf(error), cleared: [] };
}

const BECOME = "become a lease that is lent";

/** `$1` a lease. Its large objects, as many as go together. */
const unlink = sql`
select pg_catalog.count(pg_catalog.lo_unlink(l.oid)) as count from (
  select m.oid from pg_catalog.pg_largeobject_metadata m
  join pg_catalog.pg_roles r on r.oid = m.lomowner
  where r.rolname = $1::name limit ${integer(OBJECTS_TOGETHER)}) l`;

/** `$1` a lease. The default privileges that it has set, and whom they concern. */
const defaults = sql`
select n.nspname::text as schema, d.defaclobjtype::text as kind,
  pg_catalog.array_agg(distinct coalesce(g.rolname::text, '')) as grantees
from pg_catalog.pg_default_acl d join pg_catalog.pg_roles r on r.oid = d.defaclrole
left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
left join lateral pg_catalog.aclexplode(d.defaclacl) a on true
left join pg_catalog.pg_roles g on g.oid = a.grantee
where r.rolname = $1::name group by d.oid, n.nspname, d.defaclobjtype`;

interface DefaultsRow {
  readonly schema: string | null;
  readonly kind: string;
  /** An empty text is PUBLIC. */
  readonly grantees: readonly string[];
}

/** Everything is done as the lease, which has no power left: whatever a trigger does there is done by it. */
async function clearAs(
  session: Session,
  username: string,
  mayContinue: () => boolean,
  note: (catalog: string, count: number) => void,
): Promise<void> {
  await session.rows(BECOME, sql`set role ${ident(username)}`);
  try {
    let unlinked = 0;
    for (let last = 1; last > 0 && mayContinue(); unlinked += last) {
      const [row] = await session.rows<{ count: string }>("remove large objects", unlink, [
        username,
      ]);
      last = Number(row?.count ?? 0);
    }
    if (unlinked > 0) note(LARGE_OBJECTS, unlinked);
    const step = "remove default privileges";
    const entries = await session.rows<DefaultsRow>(step, defaults, [username]);
    const known = entries
      .map((entry) => restored(username, entry))
      .filter(({ length }) => length > 0);
    await session.apply(step, known.flat());
    if (known.length > 0) note(DEFAULT_PRIVILEGES, known.length);
  } finally {
    await session.rows(BECOME, sql`set role none`);
  }
}

/** PostgreSQL's word for each kind of object that has defaults, and what PUBLIC has of it (`acldefault`). */
const KINDS: Readonly<Record<string, { readonly of: Sql; readonly everyone?: Sql }>> = {
  r: { of: sql`tables` },
  S: { of: sql`sequences` },
  f: { of: sql`functions`, everyone: sql`execute` },
  T: { of: sql`types`, everyone: sql`usage` },
  n: { of: sql`schemas` },
  L: { of: sql`large objects` },
};

/** An entry that says no more than PostgreSQL itself does is removed by the server. Nothing of kinds that are not known. */
function restored(username: string, { schema, kind, grantees }: DefaultsRow): readonly Sql[] {
  const found = KINDS[kind];
  if (found === undefined) return [];
  const { of, everyone } = found;
  const place = schema === null ? sql`` : sql`in schema ${ident(schema)} `;
  const alter = (what: Sql): Sql => sql`alter default privileges ${place}${what}`;
  const names = grantees.map((name) => (name === "" ? sql`public` : ident(name)));
  const revoke =
    names.length === 0 ? [] : [alter(sql`revoke all on ${of} from ${joined(names, sql`, `)}`)];
  if (schema !== null) return revoke;
  return [
    ...revoke,
    alter(sql`grant all on ${of} to ${ident(username)}`),
    ...(everyone === undefined ? [] : [alter(sql`grant ${everyone} on ${of} to public`)]),
  ];
}
