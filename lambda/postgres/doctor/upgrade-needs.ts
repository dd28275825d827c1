import type { Flaw } from "../../../core/doctor/examiner.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import { groupRoleName, issuerRoleName } from "../../../core/names.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, sql } from "../connection/sql.ts";
import { shardsOf, wantedRoles } from "../provisioning/wanted-roles.ts";
import { flawsOr, type Look, ok, run } from "./looking.ts";

/** `$1` roles, `$2` the administrator. Without this row 16 and newer let nobody alter the role. */
const unadministered = sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where (r.rolname = any ($1::text[]) or pg_catalog.starts_with(r.rolname::text, $3))
  and not exists (select from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles u on u.oid = m.member
    where m.roleid = r.oid and u.rolname = $2 and m.admin_option)
order by 1`;

/** `$1` the prefix of leases, `$2` issuer roles. Leases that no issuer role could end then. */
const orphans = sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where pg_catalog.starts_with(r.rolname::text, $1) and not exists (
  select from pg_catalog.pg_auth_members m join pg_catalog.pg_roles u on u.oid = m.member
  where m.roleid = r.oid and u.rolname = any ($2::text[]) and m.admin_option)
order by 1`;

/** On 14 and 15: what an upgrade to 16 or newer needs, which records who may alter a role. */
export const lookAtUpgrade: Look = async ({ session, plan, version, admin }) => {
  const about = { check: "upgrade", subject: "an upgrade to PostgreSQL 16 or newer" };
  if (version >= SPLIT_MEMBERSHIP)
    return [ok({ ...about, evidence: "the server has what 16 has brought" })];
  const what = "look for what an upgrade needs";
  const prefix = groupRoleName(plan.tag, "");
  const lacking = await session.rows<{ name: string }>(what, unadministered, [
    wantedRoles(plan).map(({ name }) => name),
    admin,
    prefix,
  ]);
  const left = (
    await session.rows<{ name: string }>(what, orphans, [`mf_${plan.tag}_`, shardsOf(plan)])
  ).flatMap(({ name }) => {
    const lease = parseLeaseName(name);
    return lease === undefined ? [] : [{ name, shard: lease.shard }];
  });
  const flaws: Flaw[] = [
    ...(lacking.length === 0
      ? []
      : [
          {
            ...about,
            verdict: "warning" as const,
            evidence: `${admin} has no ADMIN OPTION on ${lacking.length} of Mayfly's roles (${lacking
              .slice(0, 3)
              .map(({ name }) => name)
              .join(", ")}): after the upgrade it could neither alter nor drop them`,
            fix: run(
              { database: plan.maintenanceDatabase, as: admin },
              lacking.map(
                ({ name }) => sql`GRANT ${ident(name)} TO ${ident(admin)} WITH ADMIN OPTION`,
              ),
            ),
          },
        ]),
    ...(left.length === 0
      ? []
      : [
          {
            ...about,
            verdict: "warning" as const,
            evidence: `no issuer role has ADMIN OPTION on ${left.length} leases: Mayfly takes them for somebody else's, and after the upgrade nobody could end them`,
            fix: run(
              { database: plan.maintenanceDatabase, as: admin },
              left.map(
                ({ name, shard }) =>
                  sql`GRANT ${ident(name)} TO ${ident(issuerRoleName(plan.tag, shard))} WITH ADMIN OPTION`,
              ),
            ),
          },
        ]),
  ];
  return flawsOr(flaws, {
    ...about,
    evidence: `${admin} has ADMIN OPTION on all of Mayfly's roles, and issuer roles have it on their leases`,
  });
};
