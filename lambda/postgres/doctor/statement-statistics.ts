import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { ident, integer, sql } from "../connection/sql.ts";
import { type DatabaseLook, flawsOr, type Look, run } from "./looking.ts";

interface Installed {
  readonly schema: string;
  /** Who may execute its functions. */
  readonly owner: string;
  readonly readable: boolean;
  /** The names of the setting, or null while the library is not loaded. */
  readonly track: string | null;
  readonly max: number | null;
}

const extension = sql`
select n.nspname::text as schema, pg_catalog.pg_get_userbyid(p.proowner)::text as owner,
  pg_catalog.has_schema_privilege(n.oid, 'USAGE') as readable,
  pg_catalog.current_setting('pg_stat_statements.track', true) as track,
  pg_catalog.current_setting('pg_stat_statements.max', true)::int as max
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
join pg_catalog.pg_proc p on p.pronamespace = n.oid and p.proname = 'pg_stat_statements_reset'
where e.extname = 'pg_stat_statements' limit 1`;

interface Filled {
  readonly entries: number;
  /** Of users that are gone. */
  readonly orphans: readonly string[];
  readonly orphaned: number;
  readonly dealloc: number;
}

/** Part of the entries, full. Beyond, the server throws away the least used twentieth. */
const FULL = 0.9;
/** Part of the entries that belong to users that are gone. */
const CROWDED = 0.5;

/** Most users in one statement. */
const TOGETHER = 200;

/** Entries of ended leases stay, crowd out those of applications, and may hold verifiers. */
export const lookAtStatistics: Look<DatabaseLook> = async ({ session, database }) => {
  const [installed] = await session.rows<Installed>("look for pg_stat_statements", extension);
  const seen = { check: "statement-statistics", subject: `database ${database}` };
  if (installed === undefined || installed.track === null || installed.max === null)
    return flawsOr([], { ...seen, evidence: "pg_stat_statements is not in use" });
  const { schema, owner, readable, track, max } = installed;
  const tracked: Flaw[] =
    track !== "all"
      ? []
      : [
          {
            ...seen,
            verdict: "warning",
            evidence:
              "pg_stat_statements.track is all, which stores the statements inside functions: each CREATE ROLE of a lease with its verifier",
            fix: byHand(
              "set pg_stat_statements.track to top (on RDS: in the parameter group; elsewhere ALTER SYSTEM and SELECT pg_reload_conf())",
            ),
          },
        ];
  if (!readable)
    return flawsOr(tracked, { ...seen, evidence: `its schema ${schema} is closed to Mayfly` });
  const [filled] = await session.rows<Filled>(
    "count pg_stat_statements",
    sql`
with e as (select s.userid, r.oid is null as orphan
  from ${ident(schema)}.pg_stat_statements(false) s
  left join pg_catalog.pg_roles r on r.oid = s.userid)
select pg_catalog.count(*)::int as entries,
  (pg_catalog.count(*) filter (where orphan))::int as orphaned,
  coalesce(pg_catalog.array_agg(distinct userid::text) filter (where orphan), '{}') as orphans,
  (select dealloc::int from ${ident(schema)}.pg_stat_statements_info) as dealloc
from e`,
  );
  const { entries = 0, orphaned = 0, orphans = [], dealloc = 0 } = filled ?? {};
  const evidence = `${entries} of ${max} entries, ${orphaned} of them of users that are gone; entries were thrown out ${dealloc} times`;
  const isFull = entries >= max * FULL;
  const reset = orphans
    .slice(0, TOGETHER)
    .map((oid) => sql`${ident(schema)}.pg_stat_statements_reset(${integer(Number(oid))}, 0, 0)`);
  const pressed: Flaw[] = !isFull
    ? []
    : orphaned >= entries * CROWDED && reset.length > 0
      ? [
          {
            ...seen,
            verdict: "warning",
            evidence: `${evidence}: ended leases crowd out the statements of applications`,
            fix: run(
              { database, as: owner },
              reset.map((call) => sql`SELECT ${call}`),
            ),
          },
        ]
      : [
          {
            ...seen,
            verdict: "warning",
            evidence,
            fix: byHand(
              `set pg_stat_statements.max to ${2 * max}, and restart the server (on RDS: in the parameter group)`,
            ),
          },
        ];
  return flawsOr([...tracked, ...pressed], { ...seen, evidence });
};
