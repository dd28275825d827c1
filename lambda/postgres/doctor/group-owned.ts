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
  /** The statement that gives it to the owner of the configuration, since it has data. */
  readonly handing: Sql | null;
  /** It has the owner of its table. */
  readonly follows: boolean;
  /** The administrator can become the owner. */
  readonly reachable: boolean;
}

/** Most objects in one answer. */
const MOST = 100;

/**
 * `$1` groups, `$2` the administrator, `$3` the owner of the configuration. What depends on others
 * comes first; a table takes along the sequences of its columns. Nothing that has data is dropped.
 */
const owned = (version: number): Sql => sql`
select pg_catalog.pg_get_userbyid(s.refobjid)::text as owner, i.type, i.identity as what,
  pg_catalog.pg_has_role($2::name, s.refobjid,
    ${version >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`}) as reachable,
  case i.type
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
    when 'function' then case when not needed.is then 'DROP FUNCTION ' || i.identity end
    when 'procedure' then 'DROP PROCEDURE ' || i.identity
    when 'aggregate' then case when not needed.is then 'DROP AGGREGATE ' || i.identity end
    when 'type' then case when not needed.is then 'DROP TYPE ' || i.identity end
  end as removal,
  case when i.type = 'large object' then pg_catalog.format('ALTER LARGE OBJECT %s OWNER TO %I', s.objid, $3::text)
    when i.type = any (array['table', 'materialized view', 'foreign table', 'sequence'])
      and pg_catalog.has_schema_privilege($3::name, kept.relnamespace, 'CREATE')
    then pg_catalog.format('ALTER %s %s OWNER TO %I', pg_catalog.upper(i.type), i.identity, $3::text)
  end as handing,
  i.type = 'sequence' and exists (select from pg_catalog.pg_depend d
    where d.classid = s.classid and d.objid = s.objid and d.deptype in ('a', 'i')
      and d.refclassid = s.classid) as follows
from pg_catalog.pg_shdepend s
cross join lateral pg_catalog.pg_identify_object(s.classid, s.objid, s.objsubid) i
cross join lateral (select exists (select from pg_catalog.pg_depend d
  where d.refclassid = s.classid and d.refobjid = s.objid and d.deptype = 'n') as is) needed
left join pg_catalog.pg_class kept
  on s.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and kept.oid = s.objid
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
  plan,
}) => {
  const rows = await session.rows<Owned>("look for what groups own", owned(version), [
    groups,
    admin,
    plan.owner,
  ]);
  const split = version >= SPLIT_MEMBERSHIP;
  const flaws = [...Map.groupBy(rows.slice(0, MOST), ({ owner }) => owner)].map(
    ([owner, objects]): Flaw => {
      const removals = objects.flatMap(({ removal }) => removal ?? []);
      const handings = objects.flatMap(({ handing, follows }) => (follows ? [] : (handing ?? [])));
      const isWhole = objects.every(
        ({ removal, handing, follows }) => removal !== null || handing !== null || follows,
      );
      const isLent = objects[0]?.reachable !== true;
      const name = ident(owner);
      // who gives a thing away has the privileges of its owner, and can become the next one
      const lend = (options: Sql): Sql =>
        sql`GRANT ${name} TO CURRENT_USER${split ? options : sql``}`;
      const mend = [
        ...(removals.length === 0
          ? []
          : [
              ...(isLent ? [lend(sql` WITH INHERIT FALSE, SET TRUE`)] : []),
              sql`SET ROLE ${name}`,
              ...removals,
              sql`RESET ROLE`,
            ]),
        ...(handings.length === 0
          ? []
          : [
              ...(split || (isLent && removals.length === 0)
                ? [lend(sql` WITH INHERIT TRUE, SET TRUE`)]
                : []),
              ...handings,
            ]),
        ...(isLent || (split && handings.length > 0)
          ? [isLent ? sql`REVOKE ${name} FROM CURRENT_USER` : lend(sql` WITH INHERIT FALSE`)]
          : []),
      ];
      const rest = rows.length > MOST ? ", and more" : "";
      return {
        check: "group-owned",
        subject: `${owner} in database ${database}`,
        verdict: "broken",
        evidence: `${owner} owns ${someOf(objects.map(({ type, what }) => `${type} ${what}`))}${rest}: a lease made that as its group, every lease of the group may change it, and code in it outlives them`,
        fix: isWhole
          ? run({ database, as: admin }, mend)
          : byHand(
              `look at what the evidence names; as ${name}, drop what nobody needs, and give what has data to ${ident(plan.owner)} with ALTER … OWNER TO, after you have read its triggers, rules and defaults`,
            ),
      };
    },
  );
  return flawsOr(flaws, {
    check: "group-owned",
    subject: `groups in database ${database}`,
    evidence: "they own nothing",
  });
};
