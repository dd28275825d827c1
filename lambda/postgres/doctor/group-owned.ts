import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";
import { someOf } from "../provisioning/check/problems.ts";
import { type DatabaseLook, flawsOr, type Look, run } from "./looking.ts";

interface Owned {
  readonly owner: string;
  /** As `pg_identify_object` calls it. */
  readonly type: string;
  readonly what: string;
  /** The statement that removes it, made by the server. Null: there is none. */
  readonly removal: Sql | null;
  /** The administrator can become the owner. */
  readonly reachable: boolean;
}

/** Most objects in one answer. */
const MOST = 100;

/**
 * `$1` groups, `$2` the administrator. What depends on others comes first; a table takes along the
 * sequences of its columns.
 */
const owned = (version: number): Sql => sql`
select pg_catalog.pg_get_userbyid(s.refobjid)::text as owner, i.type, i.identity as what,
  pg_catalog.pg_has_role($2::name, s.refobjid,
    ${version >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`}) as reachable,
  case i.type
    when 'large object' then 'SELECT pg_catalog.lo_unlink(' || s.objid || ')'
    when 'default acl' then (
      select pg_catalog.string_agg(pg_catalog.format('ALTER DEFAULT PRIVILEGES %sREVOKE ALL ON %s FROM %s',
        coalesce('IN SCHEMA ' || pg_catalog.quote_ident(n.nspname) || ' ', ''),
        case d.defaclobjtype when 'r' then 'TABLES' when 'S' then 'SEQUENCES'
          when 'f' then 'FUNCTIONS' when 'T' then 'TYPES' when 'n' then 'SCHEMAS' end,
        case e.grantee when 0 then 'PUBLIC'
          else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) end), '; ')
      from pg_catalog.pg_default_acl d
      left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace
      cross join lateral (select distinct a.grantee from pg_catalog.aclexplode(d.defaclacl) a
        where a.grantee <> s.refobjid) e
      where d.oid = s.objid and d.defaclnamespace <> 0)
    when 'view' then 'DROP VIEW ' || i.identity
    when 'materialized view' then 'DROP MATERIALIZED VIEW ' || i.identity
    when 'foreign table' then 'DROP FOREIGN TABLE ' || i.identity
    when 'table' then 'DROP TABLE ' || i.identity
    when 'sequence' then 'DROP SEQUENCE IF EXISTS ' || i.identity
    when 'function' then 'DROP FUNCTION ' || i.identity
    when 'procedure' then 'DROP PROCEDURE ' || i.identity
    when 'aggregate' then 'DROP AGGREGATE ' || i.identity
    when 'type' then 'DROP TYPE ' || i.identity
    when 'schema' then 'DROP SCHEMA ' || i.identity
  end as removal
from pg_catalog.pg_shdepend s
cross join lateral pg_catalog.pg_identify_object(s.classid, s.objid, s.objsubid) i
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.deptype = 'o'
  and s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  and pg_catalog.pg_get_userbyid(s.refobjid) = any ($1::text[])
order by 1, pg_catalog.array_position(array['default acl', 'large object', 'view',
  'materialized view', 'foreign table', 'table', 'sequence', 'function', 'procedure', 'aggregate',
  'type', 'schema'], i.type) nulls last, 3
limit 101`;

/** What groups own in a database: a lease made it, and it outlives the lease. */
export const lookAtOwned: Look<DatabaseLook> = async ({
  session,
  groups,
  admin,
  database,
  version,
}) => {
  const rows = await session.rows<Owned>("look for what groups own", owned(version), [
    groups,
    admin,
  ]);
  const split = version >= SPLIT_MEMBERSHIP;
  const flaws = [...Map.groupBy(rows.slice(0, MOST), ({ owner }) => owner)].map(
    ([owner, objects]): Flaw => {
      const removals = objects.flatMap(({ removal }) => (removal === null ? [] : [removal]));
      const isLent = objects[0]?.reachable !== true;
      const name = ident(owner);
      const rest = rows.length > MOST ? ", and more" : "";
      return {
        check: "group-owned",
        subject: `${owner} in database ${database}`,
        verdict: "broken",
        evidence: `${owner} owns ${someOf(objects.map(({ type, what }) => `${type} ${what}`))}${rest}: a lease made that as its group, every lease of the group may change it, and code in it outlives them`,
        fix:
          removals.length < objects.length
            ? byHand(
                `look at what the evidence names, and drop what nobody needs: become ${name} with SET ROLE`,
              )
            : run({ database, as: admin }, [
                ...(isLent
                  ? [
                      sql`GRANT ${name} TO CURRENT_USER${split ? sql` WITH INHERIT FALSE, SET TRUE` : sql``}`,
                    ]
                  : []),
                sql`SET ROLE ${name}`,
                ...removals,
                sql`RESET ROLE`,
                ...(isLent ? [sql`REVOKE ${name} FROM CURRENT_USER`] : []),
              ]),
      };
    },
  );
  return flawsOr(flaws, {
    check: "group-owned",
    subject: `groups in database ${database}`,
    evidence: "they own nothing",
  });
};
