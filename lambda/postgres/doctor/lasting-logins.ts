import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { wantedPrivileges, wantedSchemas } from "../../../core/provisioning/privileges.ts";
import { ident, sql } from "../connection/sql.ts";
import { type DatabaseLook, flawsOr, type Look } from "./looking.ts";

interface Lasting {
  readonly name: string;
  readonly tables: number;
}

/** `$1` schemas, `$2` logins that are known. Superusers and RDS's own can do anything anyway. */
const lastingLogins = sql`
select r.rolname::text as name, pg_catalog.count(*)::int as tables
from pg_catalog.pg_roles r
cross join pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.rolcanlogin and (r.rolvaliduntil is null or r.rolvaliduntil = 'infinity')
  and not r.rolsuper and r.rolname !~ '^(rds|mf_[a-z2-7]{4}_)' and r.rolname <> all ($2::text[])
  and n.nspname = any ($1::text[]) and c.relkind = any (array['r', 'p', 'v', 'm', 'f']::"char"[])
  and pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
  and case when c.relkind <> 'S' then
    pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') end
group by 1 order by 1`;

/** Logins beside Mayfly's that never expire and reach the tables that leases are for. */
export const lookAtLastingLogins: Look<DatabaseLook> = async (look) => {
  const { session, plan, admin, database } = look;
  const schemas = [...new Set(wantedSchemas(wantedPrivileges(plan)).map(({ schema }) => schema))];
  const rotated = Object.values(plan.rotatedUsers ?? {}).flatMap(({ usernames }) => usernames);
  const rows = await session.rows<Lasting>("look for logins that never expire", lastingLogins, [
    schemas,
    [admin, ...rotated, ...(plan.watch ?? [])],
  ]);
  return flawsOr(
    rows.map(
      ({ name, tables }): Flaw => ({
        check: "lasting-logins",
        subject: name,
        verdict: "warning",
        evidence: `${name} can log in, has no VALID UNTIL, and reaches ${tables} tables in ${schemas.join(", ")}`,
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
