import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import {
  ownerGroupsOf,
  rotatedUserComment,
  tagOfComment,
  type WantedUser,
  wantedUsers,
} from "../../../../core/rotation/rotated-users.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, literal, type Sql, sql } from "../../connection/sql.ts";
import {
  isElevated,
  isLeaving,
  isMember,
  isOurs,
  joinGroup,
  type UserState,
} from "../converge/rotated-users.ts";
import { foreignAmong } from "./check-cluster.ts";
import { foreignRolesProblem, powerProblem } from "./cluster-problems.ts";
import { problem } from "./problems.ts";

/** An owner group in the catalogs, and the administrator's rights over it. */
interface GroupFacts {
  readonly name: string;
  readonly exists: boolean;
  readonly login: boolean | null;
  readonly powerful: boolean | null;
  readonly connects: boolean | null;
  /** The administrator may create roles; if not, that is a separate problem. */
  readonly create_role: boolean;
  readonly admin_member: boolean;
}

/** `$1` groups, `$2` an application database. */
const groupFacts = sql`
select w.name, g.oid is not null as exists, g.rolcanlogin as login,
  g.rolsuper or g.rolcreaterole or g.rolreplication or g.rolbypassrls as powerful,
  (select pg_catalog.has_database_privilege(g.oid, d.oid, 'CONNECT')
   from pg_catalog.pg_database d where d.datname = $2::text) as connects,
  me.rolcreaterole or me.rolsuper as create_role,
  exists (select from pg_catalog.pg_auth_members m
    where m.roleid = g.oid and m.member = me.oid) as admin_member
from pg_catalog.unnest($1::text[]) as w(name)
join pg_catalog.pg_roles me on me.rolname = current_user
left join pg_catalog.pg_roles g on g.rolname = w.name`;

/** The connection facts for checking users. */
export interface UsersConnection {
  readonly version: number;
  /** The administrator's name. */
  readonly admin: string;
  /** The application database of the users. */
  readonly database: string;
}

/**
 * Check rotated users and their groups, except passwords. Rights are tried in transactions that are
 * rolled back. Changes nothing.
 */
export async function checkUsers(
  session: Session,
  plan: ProvisionPlan,
  states: readonly UserState[],
  connection: UsersConnection,
): Promise<readonly string[]> {
  const users = wantedUsers(plan);
  const facts = await session.rows<GroupFacts>("check the owner groups", groupFacts, [
    ownerGroupsOf(plan),
    connection.database,
  ]);
  const problems = facts.flatMap(groupProblems);
  for (const user of users) {
    const state = states.find(({ name }) => name === user.name);
    const group = facts.find(({ name }) => name === user.group);
    if (state !== undefined) problems.push(...userProblems(plan.tag, user, state));
    if (group?.exists) {
      problems.push(...connectProblems(user, group, state, connection.database));
      problems.push(
        ...(await grantProblems(session, plan.tag, user, { state, group, connection })),
      );
    }
  }
  const names = users.map(({ name }) => name);
  const touched = states.filter((state) =>
    isLeaving(plan.tag, names, state)
      ? !isElevated(state)
      : !state.powerful &&
        users.some((user) => user.name === state.name && isTouched(plan.tag, user, state)),
  );
  return [...new Set([...problems, ...(await foreignUsersProblems(session, touched, connection))])];
}

const isTouched = (tag: string, user: WantedUser, state: UserState): boolean =>
  isOurs(tag, state) || user.actsAsGroup;

function groupProblems({ name, exists, login, powerful }: GroupFacts): string[] {
  const group = ident(name);
  if (!exists)
    return [problem(`the owner group ${group} does not exist`, sql`CREATE ROLE ${group} NOLOGIN`)];
  return [
    ...(login
      ? [
          problem(
            `the owner group ${group} can log in; name a role that cannot, or, if nobody logs in as it`,
            sql`ALTER ROLE ${group} NOLOGIN`,
          ),
        ]
      : []),
    ...(powerful
      ? [
          problem(
            `the owner group ${group} has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS`,
            sql`ALTER ROLE ${group} NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS`,
          ),
        ]
      : []),
  ];
}

/** The problems of an existing role as a rotated user. */
function userProblems(tag: string, user: WantedUser, state: UserState): string[] {
  const name = ident(user.name);
  if (state.powerful) return [powerProblem(user.name)];
  if (isOurs(tag, state)) return [];
  const theirs = tagOfComment(state.comment);
  if (theirs !== undefined)
    return [
      problem(
        `the role ${name} was made from a rotated secret of the tag "${theirs}"; name another user, or, if that stack is gone`,
        handOver(tag, user),
      ),
    ];
  return [
    ...(state.create_role
      ? [problem(`the role ${name} may create roles`, sql`ALTER ROLE ${name} NOCREATEROLE`)]
      : []),
    ...(!state.login || state.ended
      ? [
          problem(
            `the role ${name} cannot log in`,
            sql`ALTER ROLE ${name} LOGIN VALID UNTIL 'infinity'`,
          ),
        ]
      : []),
  ];
}

/** Hand over a user to Mayfly. */
const handOver = (tag: string, { name, secret }: WantedUser): Sql =>
  sql`COMMENT ON ROLE ${ident(name)} IS ${literal(rotatedUserComment(tag, secret))}`;

/** The problem that no version of a user's secret holds its password, and Mayfly may not set it. */
export const unknownPassword = (tag: string, user: WantedUser, arn: string): string =>
  problem(
    `the role ${ident(user.name)} exists, and no version of the rotated secret "${user.secret}" (${arn}) holds its password; name the secret that does as secretArn, or put a version with its password, and the role is kept as it is; or, to have Mayfly set its password, and drop it with the secret`,
    handOver(tag, user),
  );

/**
 * Mayfly grants CONNECT to groups of dynamic roles; the creator of an owner group must grant it.
 */
function connectProblems(
  user: WantedUser,
  group: GroupFacts,
  state: UserState | undefined,
  database: string,
): string[] {
  if (group.connects !== false || state?.connects === true) return [];
  return [
    problem(
      `the owner group ${ident(user.group)} may not connect to the database ${ident(database)}`,
      sql`GRANT CONNECT ON DATABASE ${ident(database)} TO ${ident(user.group)}`,
    ),
  ];
}

async function grantProblems(
  session: Session,
  tag: string,
  user: WantedUser,
  found: {
    readonly state: UserState | undefined;
    readonly group: GroupFacts;
    readonly connection: UsersConnection;
  },
): Promise<string[]> {
  const { state, group, connection } = found;
  const { version, admin } = connection;
  if (!group.create_role || group.powerful) return [];
  if (state !== undefined && isMember(tag, user, state)) return [];
  const make = state === undefined ? [sql`create role ${ident(user.name)} nologin`] : [];
  if (await session.permits("try the admin's rights", [...make, joinGroup(user, version)]))
    return [];
  return [
    problem(
      `${ident(admin)} may not grant the owner group ${ident(user.group)} to users of rotated secrets`,
      administer(user.group, admin, group.admin_member, version),
    ),
  ];
}

/** Grant ADMIN OPTION only, or add it to the administrator's present membership. */
const administer = (group: string, admin: string, isMemberNow: boolean, version: number): Sql =>
  sql`GRANT ${ident(group)} TO ${ident(admin)} WITH ${isMemberNow || version < SPLIT_MEMBERSHIP ? sql`ADMIN OPTION` : sql`ADMIN TRUE, INHERIT FALSE, SET FALSE`}`;

async function foreignUsersProblems(
  session: Session,
  states: readonly UserState[],
  { admin, version }: UsersConnection,
): Promise<string[]> {
  const names = states.map(({ name }) => name);
  const foreign = await foreignAmong(session, names);
  return foreign.length === 0 ? [] : [foreignRolesProblem(foreign, admin, version)];
}
