import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { type Sql, sql } from "../connection/sql.ts";

/** That one role is a member of another: all that several roles may have granted, together. */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly admin: boolean;
  /** Before 16, the member's own. */
  readonly inherit: boolean;
  readonly set: boolean;
}

/** `$1` names of members. */
export const memberships = (version: number): Sql => sql`
select r.rolname::text as role, u.rolname::text as member,
  pg_catalog.bool_or(m.admin_option) as admin,
  pg_catalog.bool_or(${version >= SPLIT_MEMBERSHIP ? sql`m.inherit_option` : sql`u.rolinherit`}) as inherit,
  pg_catalog.bool_or(${version >= SPLIT_MEMBERSHIP ? sql`m.set_option` : sql`true`}) as set
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles r on r.oid = m.roleid
join pg_catalog.pg_roles u on u.oid = m.member
where u.rolname = any ($1::text[])
group by r.rolname, u.rolname`;
