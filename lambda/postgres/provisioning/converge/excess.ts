import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Session } from "../../connection/session.ts";
import { sql } from "../../connection/sql.ts";
import { isCovered } from "./relations.ts";

/**
 * `$1` wanted privileges as JSON, `$2` the groups. Other privileges that a group has on a table:
 * through PUBLIC, ownership, or a role of which it is a member.
 */
const effective = sql`
with w as (select * from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text, without text[]))
select g.rolname || ' has ' || p.privilege || ' on ' || n.nspname || '.' || c.relname as excess
from pg_catalog.pg_roles g
cross join pg_catalog.unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p(privilege)
cross join pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where g.rolname = any ($2::text[]) and c.relkind = any (array['r', 'p', 'v', 'm', 'f']::"char"[])
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid
      and e.deptype = 'e')
  and not exists (select from w where w."groupRole" = g.rolname and w.kind = 'table'
    and w.privilege = p.privilege and w.schema = n.nspname
    and (w.name is null and ${isCovered(sql`c.relname`)} or w.name = c.relname))
  and case when c.relkind <> 'S' then pg_catalog.has_table_privilege(g.oid, c.oid, p.privilege) end
union all
select g.rolname || ' is a member of ' || r.rolname
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles g on g.oid = m.member
join pg_catalog.pg_roles r on r.oid = m.roleid
where g.rolname = any ($2::text[])
union all
select g.rolname || ' owns ' || pg_catalog.count(*) || ' objects in database '
  || pg_catalog.current_database()
from pg_catalog.pg_shdepend s
join pg_catalog.pg_roles g on g.oid = s.refobjid
join pg_catalog.pg_database d on d.oid = s.dbid and d.datname = pg_catalog.current_database()
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.deptype = 'o'
  and s.refobjid = any (array(
    select oid from pg_catalog.pg_roles where rolname = any ($2::text[])))
group by g.rolname
order by 1`;

/** The privileges of groups in one application database that are not in the plan. */
export async function excessIn(
  session: Session,
  { roles }: ProvisionPlan,
  wanted: string,
): Promise<readonly string[]> {
  const groups = Object.values(roles).map(({ groupRole }) => groupRole);
  const rows = await session.rows<{ excess: string }>("read effective privileges", effective, [
    wanted,
    groups,
  ]);
  return rows.map(({ excess }) => excess);
}
