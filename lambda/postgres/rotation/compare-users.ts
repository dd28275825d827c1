import { MayflyError } from "../../../core/errors.ts";
import type { Comparison, UserDifferences } from "../../../core/rotation/rotation-ports.ts";
import type { Session } from "../connection/session.ts";
import { type Sql, sql } from "../connection/sql.ts";
import { someOf } from "../provisioning/check/problems.ts";

/**
 * The two users (`$1`, `$2`) and the grantors that count: the owners of the application's objects
 * (`$4`). If these are unknown, everybody's grants count, except those of Mayfly's roles other than
 * issuer roles: leases are temporary and may grant anything.
 */
const people = sql`
with pair as (
  select p.oid as a, o.oid as b, p as mine, o as theirs
  from pg_catalog.pg_roles p, pg_catalog.pg_roles o
  where p.rolname = $1::text and o.rolname = $2::text
), trusted as materialized (
  select r.oid from pg_catalog.pg_roles r, pair
  where r.oid in (a, b) or r.rolsuper or r.rolcreaterole or r.rolname ~ '^pg_'
    or r.oid = (select d.datdba from pg_catalog.pg_database d
      where d.datname = pg_catalog.current_database())
    or case when $4::text[] is null then r.rolname !~ '^mf_[a-z2-7]{4}_(?!issuer_)'
      else exists (select from pg_catalog.pg_roles o
        where o.rolname = any ($4::text[]) and pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER')) end
)`;

/** The roles of which a user is a direct member, and the user's attributes. */
const ofRoles = sql`
select 1 as rank, 'membership in' as what, r.rolname::text as name, m.member = a as mine,
  r.rolcanlogin and r.oid not in (select oid from trusted) as is_foreign
from pair join pg_catalog.pg_auth_members m on m.member in (a, b)
join pg_catalog.pg_roles r on r.oid = m.roleid
where r.oid not in (a, b) and not exists (select from pg_catalog.pg_auth_members o
  where o.roleid = m.roleid and o.member = case m.member when a then b else a end)
union all
select 2, attribute.name, '', attribute.mine, false
from pair, lateral (values
  ('INHERIT', (pair.mine).rolinherit, (pair.theirs).rolinherit),
  ('CREATEDB', (pair.mine).rolcreatedb, (pair.theirs).rolcreatedb),
  ('CREATEROLE', (pair.mine).rolcreaterole, (pair.theirs).rolcreaterole),
  ('BYPASSRLS', (pair.mine).rolbypassrls, (pair.theirs).rolbypassrls)
) as attribute(name, mine, theirs)
where attribute.mine <> attribute.theirs`;

/**
 * Privileges and ownership in this database that only one of the two users has. Privileges from
 * PUBLIC or a common role are equal for both. `owned` selects the objects by owner: the application
 * has few, but anybody may create any number of others.
 */
const ofObjects = (owned: Sql): Sql => sql`
spaces as (
  select n.oid, n.nspname, n.nspowner, n.nspacl from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), things as materialized (
  select 3 as rank, 'd'::"char" as kind, 'the database' as name, d.oid, null::int2 as attnum,
    d.datdba as owner, d.datacl as acl
  from pg_catalog.pg_database d
  where d.datname = pg_catalog.current_database() and d.datdba ${owned}
  union all
  select 4, 'n', 'schema ' || n.nspname, n.oid, null, n.nspowner, n.nspacl
  from spaces n where n.nspowner ${owned}
  union all
  select 6, case c.relkind when 'S' then 's'::"char" else 'r' end, n.nspname || '.' || c.relname,
    c.oid, null, c.relowner, c.relacl
  from pg_catalog.pg_class c join spaces n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relowner ${owned}
  union all
  select 7, 'c', n.nspname || '.' || c.relname || '.' || t.attname, c.oid, t.attnum, c.relowner,
    t.attacl
  from pg_catalog.pg_attribute t join pg_catalog.pg_class c on c.oid = t.attrelid
    join spaces n on n.oid = c.relnamespace
  where t.attacl is not null and c.relowner ${owned}
  union all
  select 8, 'f', f.oid::pg_catalog.regprocedure::text, f.oid, null, f.proowner, f.proacl
  from pg_catalog.pg_proc f join spaces n on n.oid = f.pronamespace where f.proowner ${owned}
), entries as materialized (
  select t.*, x.privilege_type as privilege, x.grantor, x.grantee,
    case x.grantee when a then b else a end as other
  from pair, things t, lateral pg_catalog.aclexplode(coalesce(t.acl,
    case when t.kind <> 'c' and t.owner in (a, b)
      then pg_catalog.acldefault(t.kind, t.owner) end)) x
  where x.grantee in (a, b)
), found as (
  select 5 as rank, 'ownership of' as what, t.name, t.owner = a as mine, false as is_foreign
  from pair, things t
  where t.kind in ('r', 's') and t.owner in (a, b)
    and not pg_catalog.pg_has_role(case t.owner when a then b else a end, t.owner, 'USAGE')
  union all
  select e.rank, e.privilege || ' on', e.name, e.grantee = a,
    e.grantor not in (select oid from trusted) or e.owner not in (select oid from trusted)
  from pair, entries e
  where not case e.kind
    when 'd' then pg_catalog.has_database_privilege(e.other, e.oid, e.privilege)
    when 'n' then pg_catalog.has_schema_privilege(e.other, e.oid, e.privilege)
    when 's' then pg_catalog.has_sequence_privilege(e.other, e.oid, e.privilege)
    when 'c' then pg_catalog.has_column_privilege(e.other, e.oid, e.attnum, e.privilege)
    when 'f' then pg_catalog.has_function_privilege(e.other, e.oid, e.privilege)
    else pg_catalog.has_table_privilege(e.other, e.oid, e.privilege) end
)`;

/** `$3` the maximum of rows; foreign grants come last. */
const ofApplication = sql`${people}, ${ofObjects(sql`in (select oid from trusted)`)}
select distinct rank, what, name, mine, is_foreign from (
  ${ofRoles} union all select * from found
) as every
order by is_foreign, rank, name, what, mine
limit $3::int`;

const ofOthers = sql`${people}, ${ofObjects(sql`not in (select oid from trusted)`)}
select what, name, mine, is_foreign from found limit $3::int`;

interface Row {
  readonly what: string;
  readonly name: string;
  readonly mine: boolean;
  readonly is_foreign: boolean;
}

/**
 * The privileges that only one of two users has, in words. Grants by roles that do not own the
 * application's objects are listed separately: whoever may create a table may grant privileges on
 * it.
 */
export async function compareUsers(
  session: Session,
  { username, other, limit, owners }: Comparison,
): Promise<UserDifferences> {
  const values = [username, other, limit, owners ?? null];
  const inWords = ({ what, name, mine }: Row): string => {
    const [one, two] = mine ? [username, other] : [other, username];
    return `${one} has ${[what, someOf([name])].join(" ").trim()}, ${two} has not`;
  };
  const rows = await session.rows<Row>("compare the users of a secret", ofApplication, values);
  const differences = rows.filter(({ is_foreign }) => !is_foreign).map(inWords);
  const foreign = rows.filter(({ is_foreign }) => is_foreign).map(inWords);
  try {
    const more = await session.rows<Row>("look at grants of others", ofOthers, values);
    foreign.push(...more.map(inWords));
  } catch (error) {
    // there may be too many to read: that does not stop a rotation either
    if (!(error instanceof MayflyError)) throw error;
    foreign.push(error.message);
  }
  return { differences, foreign: foreign.slice(0, limit) };
}
