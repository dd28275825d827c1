import { type Session, SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";

/** A membership, with the options of all its grants together. */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly admin: boolean;
  /** Before 16, the member's own. */
  readonly inherit: boolean;
  readonly set: boolean;
}

/**
 * The same, and whether somebody granted SET without ADMIN (a member with ADMIN could grant itself
 * SET).
 */
export interface AdministeringMembership extends Membership {
  readonly setAlone: boolean;
  /** Grantors of more than ADMIN. Before 16, grantors cannot be distinguished. */
  readonly wideners: readonly string[];
}

/** `$1` names of members. */
export const memberships = (version: number): Sql => sql`
select r.rolname::text as role, u.rolname::text as member,
  pg_catalog.bool_or(m.admin_option) as admin,
  pg_catalog.bool_or(${version >= SPLIT_MEMBERSHIP ? sql`m.inherit_option` : sql`u.rolinherit`}) as inherit,
  pg_catalog.bool_or(${version >= SPLIT_MEMBERSHIP ? sql`m.set_option` : sql`true`}) as set,
  pg_catalog.bool_or(${version >= SPLIT_MEMBERSHIP ? sql`m.set_option and not m.admin_option` : sql`false`}) as "setAlone",
  ${
    version >= SPLIT_MEMBERSHIP
      ? sql`coalesce(pg_catalog.array_agg(b.rolname::text)
    filter (where m.inherit_option or m.set_option and not m.admin_option), '{}')`
      : sql`array[]::text[]`
  } as wideners
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles r on r.oid = m.roleid
join pg_catalog.pg_roles u on u.oid = m.member
left join pg_catalog.pg_roles b on b.oid = m.grantor
where u.rolname = any ($1::text[])
group by r.rolname, u.rolname`;

/**
 * `$1` roles, `$2` the owner of tables. Those that the administrator controls only by `CREATEROLE`.
 */
const unwritten = sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where r.rolname = any ($1::text[]) and r.rolname <> current_user
  and pg_catalog.pg_has_role($2::name, 'MEMBER') and not exists (
  select from pg_catalog.pg_auth_members m join pg_catalog.pg_roles u on u.oid = m.member
  where m.roleid = r.oid and u.rolname = current_user and m.admin_option)`;

/**
 * Before PostgreSQL 16, grant the administrator ADMIN OPTION on its roles: the next major requires
 * it, and an upgrade does not add it. Until then `CREATEROLE` is enough. Skipped if the
 * administrator must have no access to the data, which a group would give it: then the DBA's script
 * grants it (bootstrap).
 */
export async function administer(
  { session, version }: { readonly session: Session; readonly version: number },
  owner: string,
  roles: readonly string[],
): Promise<void> {
  if (version >= SPLIT_MEMBERSHIP) return;
  const step = "write down who administers roles";
  const rows = await session.rows<{ name: string }>(step, unwritten, [roles, owner]);
  await session.apply(
    step,
    rows.map(({ name }) => sql`grant ${ident(name)} to current_user with admin option`),
  );
}
