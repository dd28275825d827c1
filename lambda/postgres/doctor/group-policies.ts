import type { Flaw } from "../../../core/doctor/examiner.ts";
import { ident, joined, literal, type Sql, sql } from "../connection/sql.ts";
import { type DatabaseLook, flawsOr, type Look, run } from "./looking.ts";

interface Policy {
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly owner: string;
  readonly restrictive: boolean;
  readonly roles: readonly string[];
  /** As the server prints it. */
  readonly using: Sql | null;
  readonly check: Sql | null;
}

/** `$1` groups. */
const policies = sql`
select p.polname::text as name, n.nspname::text as schema, c.relname::text as table,
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner, not p.polpermissive as restrictive,
  array(select r.rolname::text from pg_catalog.pg_roles r where r.oid = any (p.polroles)
    order by 1) as roles,
  pg_catalog.pg_get_expr(p.polqual, p.polrelid) as using,
  pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as check
from pg_catalog.pg_policy p
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname !~ '^pg_temp_' and exists (select from pg_catalog.pg_roles r
  where r.oid = any (p.polroles) and r.rolname = any ($1::text[]))
order by 2, 3, 1`;

/**
 * The same policy for everybody: that it is for some roles alone becomes a part of its conditions,
 * which no lease can take away.
 */
function forEverybody({ name, schema, table, restrictive, roles, using, check }: Policy): Sql {
  const isMeant = joined(
    roles.map((role) => sql`pg_catalog.pg_has_role(${literal(role)}, 'USAGE')`),
    sql` OR `,
  );
  const condition = (text: Sql): Sql =>
    restrictive ? sql`(NOT (${isMeant}) OR (${text}))` : sql`((${isMeant}) AND (${text}))`;
  return sql`ALTER POLICY ${ident(name)} ON ${ident(schema)}.${ident(table)} TO PUBLIC${
    using === null ? sql`` : sql` USING ${condition(using)}`
  }${check === null ? sql`` : sql` WITH CHECK ${condition(check)}`}`;
}

/** A lease that runs DROP OWNED BY its group removes the policies that name the group. */
export const lookAtPolicies: Look<DatabaseLook> = async ({ session, groups, database }) => {
  const rows = await session.rows<Policy>("look for policies that name groups", policies, [groups]);
  return flawsOr(
    rows.map(
      (policy): Flaw => ({
        check: "policy-groups",
        subject: `policy ${policy.name} on ${policy.schema}.${policy.table}`,
        verdict: policy.restrictive ? "broken" : "warning",
        evidence: `it names ${policy.roles.join(", ")}: a lease that runs DROP OWNED BY its group removes ${policy.restrictive ? "it, and the rows that it hides are seen" : "it"}`,
        fix: run({ database, as: policy.owner }, [forEverybody(policy)]),
      }),
    ),
    {
      check: "policy-groups",
      subject: `policies in database ${database}`,
      evidence: "none names a group",
    },
  );
};
