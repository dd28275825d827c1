import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, joined, type Sql, sql } from "../connection/sql.ts";

/**
 * Wrap statements so that the administrator is temporarily a member of roles that it created: able
 * to become them (`set`), or with their privileges (`inherit`). Before PostgreSQL 16 a membership
 * is both, and the administrator keeps its ADMIN OPTION, which the next major requires.
 *
 * @param server `server_version_num`, e.g. 180004.
 */
export function borrow(
  roles: readonly string[],
  server: number,
  use: "set" | "inherit",
  statements: readonly Sql[],
): readonly Sql[] {
  const names = joined(roles.map(ident), sql`, `);
  if (server < SPLIT_MEMBERSHIP)
    return [sql`grant ${names} to current_user with admin option`, ...statements];
  const options =
    use === "set" ? sql` with inherit false, set true` : sql` with inherit true, set false`;
  return [
    sql`grant ${names} to current_user${options}`,
    ...statements,
    sql`revoke ${names} from current_user`,
  ];
}

/** Become the administrator again, after a statement that set another role. */
export const AS_ADMIN = sql`set local role none`;

/** Become a borrowed role. */
export const become = (role: string): Sql => sql`set local role ${ident(role)}`;
