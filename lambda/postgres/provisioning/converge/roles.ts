import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { problem, refuseIf } from "../check/problems.ts";
import { type AdministeringMembership, memberships } from "../memberships.ts";
import type { WantedMembership, WantedRole } from "../wanted-roles.ts";

interface RoleState {
  readonly name: string;
  readonly login: boolean;
  readonly create_role: boolean;
  readonly create_db: boolean;
  readonly inherit: boolean;
  readonly connection_limit: number;
}

/** `$1` role names. */
const roleStates = sql`
select rolname::text as name, rolcanlogin as login, rolcreaterole as create_role,
  rolcreatedb as create_db, rolinherit as inherit, rolconnlimit as connection_limit
from pg_catalog.pg_roles where rolname = any ($1::text[])`;

const attributes = ({ login, createRole, inherit, connectionLimit }: WantedRole): Sql =>
  sql`${login ? sql`login` : sql`nologin`} ${createRole ? sql`createrole` : sql`nocreaterole`} nocreatedb ${inherit ? sql`inherit` : sql`noinherit`} connection limit ${integer(connectionLimit)}`;

/** Create a role with a comment. */
export const createRole = (role: WantedRole): readonly Sql[] => [
  sql`create role ${ident(role.name)} ${attributes(role)}`,
  sql`comment on role ${ident(role.name)} is ${literal(role.comment)}`,
];

const alterRole = (role: WantedRole): Sql =>
  sql`alter role ${ident(role.name)} ${attributes(role)}`;

const isAsWanted = (role: WantedRole, state: RoleState): boolean =>
  state.login === role.login &&
  state.create_role === role.createRole &&
  state.connection_limit === role.connectionLimit &&
  !state.create_db &&
  state.inherit === role.inherit;

/** Create the roles that are missing, and correct the attributes of those that are not. */
export async function makeRoles(
  session: Session,
  wanted: readonly WantedRole[],
): Promise<{ readonly made: readonly string[]; readonly corrected: number }> {
  const step = "create issuer roles, logins, janitor and groups";
  const names = wanted.map(({ name }) => name);
  const rows = await session.rows<RoleState>(step, roleStates, [names]);
  const states = new Map(rows.map((row) => [row.name, row]));
  const missing = wanted.filter(({ name }) => !states.has(name));
  const wrong = wanted.filter((role) => {
    const state = states.get(role.name);
    return state !== undefined && !isAsWanted(role, state);
  });
  await session.apply(step, [...missing.flatMap(createRole), ...wrong.map(alterRole)]);
  return { made: missing.map(({ name }) => name), corrected: wrong.length };
}

/**
 * Grant a membership, in the syntax of that `server_version_num`. A group is granted without
 * INHERIT and SET; otherwise an issuer role could read what its leases can.
 */
export function grantMembership({ role, member, use }: WantedMembership, version: number): Sql {
  const granted = sql`grant ${ident(role)} to ${ident(member)}`;
  if (version < SPLIT_MEMBERSHIP)
    return use === "administer" ? sql`${granted} with admin option` : granted;
  return use === "administer"
    ? sql`${granted} with admin true, inherit false, set false`
    : sql`${granted} with inherit true, set false`;
}

/** Whether a member can do what it is wanted for, and no more. */
export function isSatisfied(use: WantedMembership["use"], state: AdministeringMembership): boolean {
  if (use === "inherit") return state.inherit;
  if (state.inherit) return false;
  return state.admin && !state.setAlone;
}

/**
 * Grant the missing memberships.
 *
 * @returns how many were granted.
 * @throws ConfigError with memberships that are still not as wanted, because another role granted
 *   more.
 */
export async function makeMemberships(
  session: Session,
  wanted: readonly WantedMembership[],
  version: number,
): Promise<number> {
  const step = "grant groups to issuer roles";
  const members = [...new Set(wanted.map(({ member }) => member))];
  const missing = async () => {
    const rows = await session.rows<AdministeringMembership>(step, memberships(version), [members]);
    const states = new Map(rows.map((row) => [`${row.role} ${row.member}`, row]));
    return wanted.flatMap((each) => {
      const state = states.get(`${each.role} ${each.member}`);
      const isGap = state === undefined || !isSatisfied(each.use, state);
      return isGap ? [{ ...each, wideners: state?.wideners ?? [] }] : [];
    });
  };
  const gaps = await missing();
  await session.apply(
    step,
    gaps.map((membership) => grantMembership(membership, version)),
  );
  refuseIf(
    (await missing()).map(({ role, member, use, wideners }) => {
      const revoke = sql`REVOKE ${ident(role)} FROM ${ident(member)}`;
      const each = wideners.map((name) => sql`${revoke} GRANTED BY ${ident(name)}`);
      const remedy = joined(each.length === 0 ? [revoke] : each, sql`; `);
      return `${problem(`${member} must ${use} ${role} and no more`, remedy)} then deploy again`;
    }),
    `step "${step}" had no effect`,
  );
  return gaps.length;
}
