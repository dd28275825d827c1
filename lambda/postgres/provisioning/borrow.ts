import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, joined, type Sql, sql } from "../connection/sql.ts";

/**
 * Statements around which the administrator is a member of roles that it made: able to become them
 * (`set`), or with their rights (`inherit`). Before PostgreSQL 16 a membership is both, and it keeps
 * its own, which the next major asks for.
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

/** Be the administrator again, whatever role a statement before has taken. */
export const AS_ADMIN = sql`set local role none`;

/** Become a role that is borrowed. */
export const become = (role: string): Sql => sql`set local role ${ident(role)}`;
