import { janitorName } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { ident, type Sql, sql } from "../sql.ts";
import type { Session } from "./session.ts";

/** `$1` databases, `$2` roles, `$3` the owner. Only what is not granted by name. */
const connectGaps = sql`
select d.datname::text as database, g.rolname::text as role,
  pg_catalog.has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') as admin_grants,
  pg_catalog.has_database_privilege($3::name, d.oid, 'CONNECT WITH GRANT OPTION') as owner_grants
from pg_catalog.pg_database d, pg_catalog.pg_roles g
where d.datname = any ($1::text[]) and g.rolname = any ($2::text[])
  and not exists (select from pg_catalog.aclexplode(d.datacl) a
    where a.grantee = g.oid and a.privilege_type = 'CONNECT')
order by 1, 2`;

interface ConnectGap {
  readonly database: string;
  readonly role: string;
  readonly admin_grants: boolean;
  readonly owner_grants: boolean;
}

/**
 * Let the groups and the janitor connect to the application databases. Where neither the admin nor
 * the owner may grant that, PUBLIC may connect, or the checks would have refused.
 */
export async function grantConnect(session: Session, plan: ProvisionPlan): Promise<void> {
  const step = "grant CONNECT on the application databases";
  const groups = Object.values(plan.roles).map(({ groupRole }) => groupRole);
  const gaps = await session.rows<ConnectGap>(step, connectGaps, [
    plan.databases,
    [...groups, janitorName(plan.tag)],
    plan.owner,
  ]);
  const admit = ({ database, role }: ConnectGap): Sql =>
    sql`grant connect on database ${ident(database)} to ${ident(role)}`;
  const byAdmin = gaps.filter((gap) => gap.admin_grants).map(admit);
  const byOwner = gaps.filter((gap) => !gap.admin_grants && gap.owner_grants).map(admit);
  await session.apply(step, byAdmin);
  if (byOwner.length > 0)
    await session.apply(step, [sql`set local role ${ident(plan.owner)}`, ...byOwner]);
}
