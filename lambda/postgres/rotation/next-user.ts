import { ConfigError, StatementRejectedError } from "../../../core/errors.ts";
import type { NextUser } from "../../../core/rotation/rotation-ports.ts";
import { scramVerifier } from "../connection/scram.ts";
import { type OpenSession, SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../connection/sql.ts";
import { problem, someOf } from "../provisioning/check/problems.ts";
import { type Membership, memberships } from "../provisioning/memberships.ts";
import { type Change, readSettings, settingChanges } from "./role-settings.ts";

interface UserState {
  readonly name: string;
  readonly login: boolean;
  /** `infinity` if there is no expiry; UTC. */
  readonly valid_until: string;
  readonly expired: boolean;
  /** -1 if there is no limit. */
  readonly connection_limit: number;
  /** The role that it acts as from the start of a session. */
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
select r.rolname::text as name, r.rolcanlogin as login, r.rolconnlimit as connection_limit,
  coalesce(r.rolvaliduntil, 'infinity')::text as valid_until,
  coalesce(r.rolvaliduntil <= pg_catalog.clock_timestamp(), false) as expired,
  r.rolsuper or r.rolcreaterole or r.rolreplication or r.rolbypassrls as powerful,
  (select pg_catalog.substr(s, 6) from pg_catalog.unnest(r.rolconfig) s
    where s like 'role=%' limit 1) as acts_as
from pg_catalog.pg_roles r where r.rolname = any ($1::text[])`;

/**
 * Make the next user equal to the current one: a member of the group, acting as the group if both
 * do, with the same memberships, settings, expiry and connection limit, and a new password. All or
 * nothing.
 *
 * @returns the names of what was changed besides the password, without values.
 * @throws ConfigError if one of the two could not log in, or the administrator lacks a right, with
 *   the SQL for a DBA.
 */
export async function convergeNextUser(
  session: OpenSession,
  user: NextUser,
): Promise<readonly string[]> {
  const step = `converge the user ${user.username}`;
  const { username, like, group } = user;
  const [admin = { version: 0, name: "", createsRoles: false }] = await session.rows<Admin>(
    step,
    adminFacts,
  );
  const split = admin.version >= SPLIT_MEMBERSHIP;
  const states = await session.rows<UserState>(step, userStates, [[username, like, group]]);
  const held = await session.rows<Membership>(step, memberships(admin.version), [[username, like]]);
  const found = await readSettings(session, step, [username, like]);
  const stateOf = (name: string) => states.find((each) => each.name === name);
  if (stateOf(group) === undefined)
    throw new ConfigError(
      `the group "${group}" does not exist; have a DBA run: CREATE ROLE ${ident(group)} NOLOGIN;`,
    );
  const two = [stateOf(username), stateOf(like)].filter((state) => state !== undefined);
  refusePowerful(two);
  refuseLockedOut(two);
  const wanted = membershipsOf(user, held);
  await needConnect(session, step, user, wanted);
  const [known, model] = [stateOf(username), stateOf(like)];
  // the group as acting role is set below, for all databases
  const carried = found.filter(({ name }) => !(user.actsAsGroup && name === "role"));
  const settings = settingChanges(username, like, carried);
  const changes = [
    ...userChanges(user, known, model),
    ...grantChanges(user, wanted, held, split),
    ...[username, like]
      .filter((name) => user.actsAsGroup && stateOf(name)?.acts_as !== group)
      .map((name) => ({
        what: `setting role of ${name}`,
        statement: sql`alter role ${ident(name)} set role = ${literal(group)}`,
      })),
    ...found.flatMap(({ role, database, name }) =>
      user.actsAsGroup && name === "role" && database !== null
        ? [
            {
              what: `setting role of ${role} in database ${database}`,
              statement: sql`alter role ${ident(role)} in database ${ident(database)} reset role`,
            },
          ]
        : [],
    ),
    ...settings,
  ];
  const verifier = literal(await scramVerifier(user.password));
  try {
    await session.applyUnlogged(step, [
      ...changes.map(({ statement }) => statement),
      sql`alter role ${ident(username)} password ${verifier}`,
    ]);
  } catch (error) {
    if (!(error instanceof StatementRejectedError)) throw error;
    await refuseSettings(session, step, { user, admin, known: known !== undefined, settings });
    const existing = [group, username, like].filter((name) => stateOf(name) !== undefined);
    const others = wanted.map(({ role }) => role).filter((role) => role !== group);
    throw mayNot(error, admin, user, [...existing, ...others]);
  }
  return changes.map(({ what }) => what);
}

function refusePowerful(users: readonly UserState[]): void {
  for (const { name, powerful } of users)
    if (powerful)
      throw new ConfigError(
        `"${name}" has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS, and cannot be one of two alternating users; remove the attribute, or use strategy single-user`,
      );
}

/**
 * Refuse a user that somebody has locked or let expire: a rotation must neither undo that nor copy
 * it.
 */
function refuseLockedOut(users: readonly UserState[]): void {
  for (const { name, login, expired, connection_limit: limit } of users) {
    const words = [
      ...(login ? [] : [["NOLOGIN", sql`LOGIN`] as const]),
      ...(expired ? [["VALID UNTIL in the past", sql`VALID UNTIL 'infinity'`] as const] : []),
      ...(limit === 0 ? [["CONNECTION LIMIT 0", sql`CONNECTION LIMIT -1`] as const] : []),
    ];
    if (words.length === 0) continue;
    const remedy = joined(
      words.map(([, word]) => word),
      sql` `,
    );
    throw new ConfigError(
      problem(
        `"${name}" could not log in with a new password (${words.map(([what]) => what).join(", ")}), and nothing was changed`,
        sql`ALTER ROLE ${ident(name)} ${remedy}`,
      ),
    );
  }
}

/** `$1` a database, `$2` roles: whether one of them may connect to it. */
const connects = sql`
select pg_catalog.bool_or(pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT')) as connects
from pg_catalog.pg_roles r, pg_catalog.pg_database d
where d.datname = $1::text and r.rolname = any ($2::text[])`;

/** @throws ConfigError if the next user could not connect to the database in its secret. */
async function needConnect(
  session: OpenSession,
  step: string,
  { username, group, database }: NextUser,
  wanted: readonly Wanted[],
): Promise<void> {
  const roles = wanted.filter(({ inherit }) => inherit).map(({ role }) => role);
  const [row] = await session.rows<{ connects: boolean | null }>(step, connects, [
    database,
    [username, ...roles],
  ]);
  if (row?.connects !== false) return;
  throw new ConfigError(
    problem(
      `"${username}" could not connect to the database "${database}", and nothing was changed`,
      sql`GRANT CONNECT ON DATABASE ${ident(database)} TO ${ident(group)}`,
    ),
  );
}

/** Create the user, or give it the current user's limit and expiry. */
function userChanges(
  { username, comment }: NextUser,
  known: UserState | undefined,
  like: UserState | undefined,
): readonly Change[] {
  const { connection_limit: limit = -1, valid_until: until = "infinity" } = like ?? {};
  const attributes = [
    {
      what: `CONNECTION LIMIT of ${username}`,
      statement: sql`alter role ${ident(username)} connection limit ${integer(limit)}`,
      differs: limit !== (known?.connection_limit ?? -1),
    },
    {
      what: `VALID UNTIL of ${username}`,
      statement: sql`alter role ${ident(username)} valid until ${literal(until)}`,
      differs: until !== (known?.valid_until ?? "infinity"),
    },
  ].filter(({ differs }) => differs);
  if (known !== undefined) return attributes;
  return [
    {
      what: `the role ${username} itself`,
      statement: sql`create role ${ident(username)} login inherit`,
    },
    { what: `COMMENT on ${username}`, statement: commentOn(username, comment) },
    ...attributes,
  ];
}

const commentOn = (username: string, comment: string): Sql =>
  sql`COMMENT ON ROLE ${ident(username)} IS ${literal(comment)}`;

type Wanted = Omit<Membership, "member">;

const sharedOf = (group: string): Wanted => ({
  role: group,
  admin: false,
  inherit: true,
  set: true,
});

/**
 * Both are members of the group. Besides, the next user gets exactly the current user's
 * memberships.
 */
const membershipsOf = (
  { username, like, group }: NextUser,
  held: readonly Membership[],
): readonly Wanted[] => [
  sharedOf(group),
  // AWS's clone users are members of the other user; a user cannot be a member of itself
  ...held.filter(({ member, role }) => member === like && ![group, username].includes(role)),
];

function grantChanges(
  { username, like, group }: NextUser,
  wanted: readonly Wanted[],
  held: readonly Membership[],
  split: boolean,
): readonly Change[] {
  const of = (member: string) => held.filter((each) => each.member === member);
  const has = (member: string, { role, admin, inherit, set }: Wanted) =>
    of(member).some(
      (each) =>
        each.role === role && each.admin === admin && each.inherit === inherit && each.set === set,
    );
  const excess = of(username).filter(
    ({ role }) => role !== username && !wanted.some((each) => each.role === role),
  );
  const membership = (member: string, role: string, statement: Sql): Change => ({
    what: `membership of ${member} in ${role}`,
    statement,
  });
  const shared = sharedOf(group);
  return [
    ...(has(like, shared) ? [] : [membership(like, group, grant(shared, like, split))]),
    ...wanted
      .filter((each) => !has(username, each))
      .map((each) => membership(username, each.role, grant(each, username, split))),
    ...excess.map(({ role }) =>
      membership(username, role, sql`revoke ${ident(role)} from ${ident(username)}`),
    ),
  ];
}

function grant({ role, admin, inherit, set }: Wanted, member: string, split: boolean): Sql {
  const granted = sql`grant ${ident(role)} to ${ident(member)}`;
  if (!split) return admin ? sql`${granted} with admin option` : granted;
  const yes = (value: boolean): Sql => (value ? sql`true` : sql`false`);
  return sql`${granted} with admin ${yes(admin)}, inherit ${yes(inherit)}, set ${yes(set)}`;
}

/** Whether the server refuses statements, for any reason. They are rolled back. */
async function isRefused(
  session: OpenSession,
  step: string,
  statements: readonly Sql[],
): Promise<boolean> {
  try {
    return !(await session.permits(step, statements));
  } catch (error) {
    if (error instanceof StatementRejectedError) return true;
    throw error;
  }
}

/** @throws ConfigError if the cause is a setting that the administrator may not set or reset. */
async function refuseSettings(
  session: OpenSession,
  step: string,
  {
    user: { username, like, comment },
    admin: { name, version },
    known,
    settings,
  }: {
    readonly user: NextUser;
    readonly admin: Admin;
    readonly known: boolean;
    readonly settings: readonly Change[];
  },
): Promise<void> {
  const role = ident(username);
  const make = known ? [sql`alter role ${role} login`] : [sql`CREATE ROLE ${role} LOGIN`];
  if (await isRefused(session, step, make)) return;
  const refused: Change[] = [];
  for (const change of settings)
    if (await isRefused(session, step, [...make, change.statement])) refused.push(change);
  if (refused.length === 0) return;
  const remedies = [
    ...(known ? [] : [...make, commentOn(username, comment)]),
    ...(known || version < SPLIT_MEMBERSHIP
      ? []
      : [sql`GRANT ${role} TO ${ident(name)} WITH ADMIN OPTION`]),
    ...refused.map(({ statement, remedy = statement }) => remedy),
  ];
  throw new ConfigError(
    problem(
      `the administrator "${name}" may not give ${username} what ${like} has, and nothing was changed: ${someOf(refused.map(({ what }) => what))}`,
      joined(remedies, sql`; `),
    ),
  );
}

function mayNot(
  error: StatementRejectedError,
  { name, createsRoles, version }: Admin,
  { username, like }: NextUser,
  existing: readonly string[],
): ConfigError {
  const admin = ident(name);
  const remedies = [
    ...(createsRoles ? [] : [sql`ALTER ROLE ${admin} CREATEROLE`]),
    ...(version < SPLIT_MEMBERSHIP
      ? []
      : existing.map(
          (role) => sql`GRANT ${ident(role)} TO ${admin} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`,
        )),
  ];
  return new ConfigError(
    `the administrator "${name}" may not set up the user ${username} like ${like} (code ${error.engineCode}), and nothing was changed; have a DBA run: ${remedies.join("; ")};`,
    { cause: error },
  );
}
