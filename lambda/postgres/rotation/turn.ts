import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type { TurnUser } from "../../../core/rotation/ports.ts";
import { scramVerifier } from "../connection/scram.ts";
import { type OpenSession, SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, integer, literal, type Sql, sql } from "../connection/sql.ts";
import { type Membership, memberships } from "../provisioning/memberships.ts";

interface UserState {
  readonly name: string;
  readonly connection_limit: number;
  /** The role it acts as from the start of a session. */
  readonly acts_as: string | null;
  readonly powerful: boolean;
}

interface Admin {
  /** `server_version_num`. */
  readonly version: number;
  readonly name: string;
  readonly createsRoles: boolean;
}

const adminFacts = sql`
select pg_catalog.current_setting('server_version_num')::int as version,
  r.rolname::text as name, r.rolcreaterole or r.rolsuper as "createsRoles"
from pg_catalog.pg_roles r where r.rolname = session_user`;

/** `$1` names of users. */
const userStates = sql`
select r.rolname::text as name, r.rolconnlimit as connection_limit,
  r.rolsuper or r.rolcreaterole or r.rolreplication or r.rolbypassrls as powerful,
  (select pg_catalog.substr(s, 6) from pg_catalog.unnest(r.rolconfig) s
    where s like 'role=%' limit 1) as acts_as
from pg_catalog.pg_roles r where r.rolname = any ($1::text[])`;

/**
 * Make the user of the next turn what the current one is: a member of the group, acting as it where
 * both do, with the same memberships, and a new password. All of it or nothing.
 *
 * @throws ConfigError when the administrator may not, with what a DBA can run.
 */
export async function convergeTurn(session: OpenSession, user: TurnUser): Promise<void> {
  const step = `converge the user ${user.username}`;
  const { username, like, group } = user;
  const [admin = { version: 0, name: "", createsRoles: false }] = await session.rows<Admin>(
    step,
    adminFacts,
  );
  const split = admin.version >= SPLIT_MEMBERSHIP;
  const states = await session.rows<UserState>(step, userStates, [[username, like, group]]);
  const held = await session.rows<Membership>(step, memberships(admin.version), [[username, like]]);
  const stateOf = (name: string) => states.find((each) => each.name === name);
  if (stateOf(group) === undefined)
    throw new ConfigError(
      `the group "${group}" does not exist; have a DBA run: CREATE ROLE ${ident(group)} NOLOGIN;`,
    );
  for (const name of [username, like])
    if (stateOf(name)?.powerful)
      throw new ConfigError(
        `"${name}" has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS, and such users do not take turns; take that from it, or use strategy single-user`,
      );
  const statements = [
    ...passwordOf(user, await scramVerifier(user.password), stateOf(username), stateOf(like)),
    ...grantsOf(user, held, split),
    ...[username, like]
      .filter((name) => user.actsAsGroup && stateOf(name)?.acts_as !== group)
      .map((name) => sql`alter role ${ident(name)} set role = ${literal(group)}`),
  ];
  try {
    await session.applyUnlogged(step, statements);
  } catch (error) {
    if (!(error instanceof StatementRejectedError)) throw error;
    const existing = [group, username, like].filter((name) => stateOf(name) !== undefined);
    throw mayNot(error, admin, user, existing);
  }
}

function passwordOf(
  { username, comment }: TurnUser,
  verifier: string,
  known: UserState | undefined,
  like: UserState | undefined,
): readonly Sql[] {
  const password = sql`password ${literal(verifier)}`;
  if (known !== undefined) return [sql`alter role ${ident(username)} ${password}`];
  return [
    sql`create role ${ident(username)} login inherit connection limit ${integer(like?.connection_limit ?? -1)} ${password}`,
    sql`comment on role ${ident(username)} is ${literal(comment)}`,
  ];
}

/** Both belong to the group; beyond it, the next user gets what the current one has, and no more. */
function grantsOf(
  { username, like, group }: TurnUser,
  held: readonly Membership[],
  split: boolean,
): readonly Sql[] {
  const of = (member: string) => held.filter((each) => each.member === member);
  const shared = { role: group, admin: false, inherit: true, set: true };
  // one of AWS's clones is a member of the other user, who cannot be its own
  const wanted = [shared, ...of(like).filter(({ role }) => ![group, username].includes(role))];
  const has = (member: string, { role, admin, inherit, set }: Omit<Membership, "member">) =>
    of(member).some(
      (each) =>
        each.role === role && each.admin === admin && each.inherit === inherit && each.set === set,
    );
  const excess = of(username).filter(
    ({ role }) => role !== username && !wanted.some((each) => each.role === role),
  );
  return [
    ...(has(like, shared) ? [] : [grant(shared, like, split)]),
    ...wanted.filter((each) => !has(username, each)).map((each) => grant(each, username, split)),
    ...excess.map(({ role }) => sql`revoke ${ident(role)} from ${ident(username)}`),
  ];
}

function grant(
  { role, admin, inherit, set }: Omit<Membership, "member">,
  member: string,
  split: boolean,
): Sql {
  const granted = sql`grant ${ident(role)} to ${ident(member)}`;
  if (!split) return admin ? sql`${granted} with admin option` : granted;
  const yes = (value: boolean): Sql => (value ? sql`true` : sql`false`);
  return sql`${granted} with admin ${yes(admin)}, inherit ${yes(inherit)}, set ${yes(set)}`;
}

function mayNot(
  error: StatementRejectedError,
  { name, createsRoles, version }: Admin,
  { username, like }: TurnUser,
  existing: readonly string[],
): ConfigError {
  const admin = ident(name);
  const remedies = [
    ...(createsRoles ? [] : [sql`ALTER ROLE ${admin} CREATEROLE`]),
    ...(version < SPLIT_MEMBERSHIP
      ? []
      : existing.map((role) => sql`GRANT ${ident(role)} TO ${admin} WITH ADMIN OPTION`)),
  ];
  return new ConfigError(
    `the administrator "${name}" may not set up the user ${username} like ${like} (code ${error.engineCode}), and nothing was changed; have a DBA run: ${remedies.join("; ")};`,
    { cause: error },
  );
}
