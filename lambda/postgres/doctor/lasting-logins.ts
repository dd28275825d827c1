import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { wantedPrivileges, wantedSchemas } from "../../../core/provisioning/privileges.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";
import { type DatabaseLook, flawsOr, type Look } from "./looking.ts";

interface Lasting {
  readonly name: string;
  /** Of one role at least. */
  readonly tables: number;
}

/**
 * `$1` schemas, `$2` logins that are known. Superusers and RDS's own can do anything anyway. Roles
 * are followed to what they are granted, not each login to each table: there may be thousands of
 * both. Before 16 whoever is a member can use the role.
 */
const lastingLogins = (version: number): Sql => sql`
with recursive
edges as (
  select m.member, m.roleid as role from pg_catalog.pg_auth_members m
  ${version >= SPLIT_MEMBERSHIP ? sql`where m.inherit_option or m.set_option` : sql``}
  union all
  select d.datdba, 'pg_database_owner'::pg_catalog.regrole::oid from pg_catalog.pg_database d
  where d.datname = pg_catalog.current_database()),
reach(login, role) as (
  select r.oid, r.oid from pg_catalog.pg_roles r
  where r.rolcanlogin and (r.rolvaliduntil is null or r.rolvaliduntil = 'infinity')
    and not r.rolsuper and r.rolname !~ '^(rds|mf_[a-z2-7]{4}_)' and r.rolname <> all ($2::text[])
  union
  select x.login, e.role from reach x join edges e on e.member = x.role),
known as (select x.login, x.role from reach x union all select distinct x.login, 0::oid from reach x),
n as (select n.* from pg_catalog.pg_namespace n where n.nspname = any ($1::text[])),
everything as (select r.oid from pg_catalog.pg_roles r
  where r.rolname in ('pg_read_all_data', 'pg_write_all_data')),
entries as (
  select n.oid as namespace, a.grantee from n cross join
    pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
  where a.privilege_type = 'USAGE'
  union select n.oid, e.oid from n cross join everything e),
c as (select c.oid, c.relnamespace, c.relacl, c.relowner from pg_catalog.pg_class c
  join n on n.oid = c.relnamespace
  where c.relkind = any (array['r', 'p', 'v', 'm', 'f']::"char"[])),
grants as (
  select c.relnamespace as namespace, a.grantee, pg_catalog.count(distinct c.oid)::int as tables
  from c cross join
    pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))) a
  where a.privilege_type = any (array['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
  group by 1, 2
  union all
  select c.relnamespace, e.oid, pg_catalog.count(*)::int from c cross join everything e group by 1, 2)
select r.rolname::text as name, pg_catalog.max(g.tables)::int as tables
from known k join grants g on g.grantee = k.role
join pg_catalog.pg_roles r on r.oid = k.login
where exists (select from entries e join known i on i.role = e.grantee
  where e.namespace = g.namespace and i.login = k.login)
group by 1 order by 1`;

/** Logins beside Mayfly's that never expire and reach the tables that leases are for. */
export const lookAtLastingLogins: Look<DatabaseLook> = async (look) => {
  const { session, plan, admin, database, version } = look;
  const schemas = [...new Set(wantedSchemas(wantedPrivileges(plan)).map(({ schema }) => schema))];
  const rotated = Object.values(plan.rotatedUsers ?? {}).flatMap(({ usernames }) => usernames);
  const rows = await session.rows<Lasting>(
    "look for logins that never expire",
    lastingLogins(version),
    [schemas, [admin, ...rotated, ...(plan.watch ?? [])]],
  );
  return flawsOr(
    rows.map(
      ({ name, tables }): Flaw => ({
        check: "lasting-logins",
        subject: name,
        verdict: "warning",
        evidence: `${name} can log in, has no VALID UNTIL, and reaches ${tables} tables or more in ${schemas.join(", ")}`,
        fix: byHand(
          `name ${name} in "rotatedSecrets", which changes its password, or in "watch" until its application has a lease; or end it: ALTER ROLE ${ident(name)} VALID UNTIL with the day on which it ends`,
        ),
      }),
    ),
    {
      check: "lasting-logins",
      subject: `logins in database ${database}`,
      evidence: "nobody but the administrator, rotated and watched users",
    },
  );
};
