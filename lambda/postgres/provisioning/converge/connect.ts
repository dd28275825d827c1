import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Session } from "../../connection/session.ts";
import { ident, type Sql, sql } from "../../connection/sql.ts";
import { entrantsOf } from "../wanted-roles.ts";

/**
 * `$1` databases, `$2` roles, existing or not, `$3` the owner. Only CONNECT that is not granted by
 * name.
 */
const connectGaps = sql`
select d.datname::text as database, w.role,
  pg_catalog.has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') as admin_grants,
  pg_catalog.has_database_privilege($3::name, d.oid, 'CONNECT WITH GRANT OPTION') as owner_grants
from pg_catalog.pg_database d
cross join pg_catalog.unnest($2::text[]) as w(role)
left join pg_catalog.pg_roles g on g.rolname = w.role
where d.datname = any ($1::text[])
  and not exists (select from pg_catalog.aclexplode(d.datacl) a
    where a.grantee = g.oid and a.privilege_type = 'CONNECT')
order by 1, 2`;

interface ConnectGap {
  readonly database: string;
  readonly role: string;
  readonly admin_grants: boolean;
  readonly owner_grants: boolean;
}

/** The missing CONNECT grants of the groups and the janitor. */
export const connectGapsIn = (
  session: Session,
  step: string,
  plan: ProvisionPlan,
  databases = plan.databases,
): Promise<ConnectGap[]> =>
  session.rows(step, connectGaps, [databases, entrantsOf(plan), plan.owner]);

/** Let a role connect to a database. */
export const admit = ({ database, role }: Pick<ConnectGap, "database" | "role">): Sql =>
  sql`grant connect on database ${ident(database)} to ${ident(role)}`;

/** Whether only the owner can grant a missing CONNECT. */
export const needsOwner = (gap: Pick<ConnectGap, "admin_grants" | "owner_grants">): boolean =>
  gap.owner_grants && !gap.admin_grants;

/**
 * Let the groups and the janitor connect to the application databases. If neither the administrator
 * nor the owner may grant that, PUBLIC may connect; otherwise the checks would have failed.
 *
 * @returns how many were granted.
 */
export async function grantConnect(session: Session, plan: ProvisionPlan): Promise<number> {
  const step = "grant CONNECT on the application databases";
  const gaps = await connectGapsIn(session, step, plan);
  const byAdmin = gaps.filter((gap) => gap.admin_grants).map(admit);
  const byOwner = gaps.filter(needsOwner).map(admit);
  await session.apply(step, byAdmin);
  if (byOwner.length > 0)
    await session.apply(step, [sql`set local role ${ident(plan.owner)}`, ...byOwner]);
  return byAdmin.length + byOwner.length;
}
