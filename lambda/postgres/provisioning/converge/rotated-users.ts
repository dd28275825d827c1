import {
  rotatedUserComment,
  rotatedUsersOf,
  tagOfComment,
  type WantedUser,
} from "../../../../core/rotation/rotated-users.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, joined, literal, type Sql, sql } from "../../connection/sql.ts";

/** A rotated user, or a role with its name, in the catalogs. */
export interface UserState {
  readonly name: string;
  readonly oid: number;
  readonly login: boolean;
  readonly inherit: boolean;
  /** SUPERUSER, REPLICATION or BYPASSRLS, which Mayfly does not manage. */
  readonly powerful: boolean;
  readonly create_role: boolean;
  readonly create_db: boolean;
  /** It has a finite `VALID UNTIL`. */
  readonly ends: boolean;
  readonly ended: boolean;
  readonly comment: string | null;
  /** The role in `ALTER ROLE … SET role`, for all databases. */
  readonly acts_as: string | null;
  readonly connects: boolean | null;
  readonly memberships: readonly UserMembership[];
}

interface UserMembership {
  readonly group: string;
  /** Before 16, always. */
  readonly inherit: boolean;
  readonly set: boolean;
  /** The administrator is among the grantors. */
  readonly own: boolean;
}

/** `$1` names, `$2` the prefix of comments, `$3` an application database. */
const states = (split: boolean): Sql => sql`
select r.rolname::text as name, r.oid::pg_catalog.int8::pg_catalog.float8 as oid,
  r.rolcanlogin as login, r.rolinherit as inherit,
  r.rolsuper or r.rolreplication or r.rolbypassrls as powerful,
  r.rolcreaterole as create_role, r.rolcreatedb as create_db,
  coalesce(r.rolvaliduntil < 'infinity', false) as ends,
  coalesce(r.rolvaliduntil <= pg_catalog.now(), false) as ended, c.description as comment,
  (select pg_catalog.substr(setting, 6) from pg_catalog.pg_db_role_setting s,
     pg_catalog.unnest(s.setconfig) as setting
   where s.setrole = r.oid and s.setdatabase = 0
     and pg_catalog.starts_with(setting, 'role=')) as acts_as,
  (select pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT')
   from pg_catalog.pg_database d where d.datname = $3::text) as connects,
  (select coalesce(pg_catalog.jsonb_agg(m.*), '[]') from (
     select g.rolname::text as "group",
       pg_catalog.bool_or(${split ? sql`a.inherit_option` : sql`true`}) as inherit,
       pg_catalog.bool_or(${split ? sql`a.set_option` : sql`true`}) as set,
       pg_catalog.bool_or(a.grantor = me.oid) as own
     from pg_catalog.pg_auth_members a join pg_catalog.pg_roles g on g.oid = a.roleid
     where a.member = r.oid group by g.rolname) m) as memberships
from pg_catalog.pg_roles r
join pg_catalog.pg_roles me on me.rolname = current_user
left join pg_catalog.pg_shdescription c on c.objoid = r.oid
  and c.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
where r.rolname = any ($1::text[]) or pg_catalog.starts_with(c.description, $2)
order by 1`;

/** Roles with these names, and every user that was created for the tag. */
export const usersIn = (
  session: Session,
  version: number,
  {
    names,
    tag,
    database,
  }: { readonly names: readonly string[]; readonly tag: string; readonly database: string },
): Promise<UserState[]> =>
  session.rows("look at the rotated users", states(version >= SPLIT_MEMBERSHIP), [
    names,
    rotatedUsersOf(tag),
    database,
  ]);

/** Whether Mayfly created a user or was given it: then it may set its password and drop it. */
export const isOurs = (tag: string, { comment }: Pick<UserState, "comment">): boolean =>
  tagOfComment(comment) === tag;

/**
 * Whether a user of the tag is no longer in the plan. Only the comment identifies such users, so
 * roles with Mayfly's own names do not count.
 */
export const isLeaving = (tag: string, names: readonly string[], state: UserState): boolean =>
  isOurs(tag, state) && !names.includes(state.name) && !/^(?:mf|pg)_/.test(state.name);

/** Whether a user has attributes that Mayfly never grants. */
export const isElevated = ({ powerful, create_role, create_db }: UserState): boolean =>
  powerful || create_role || create_db;

const sayWhose = (tag: string, { name, secret }: Pick<WantedUser, "name" | "secret">): Sql =>
  sql`comment on role ${ident(name)} is ${literal(rotatedUserComment(tag, secret))}`;

const actAsGroup = ({ name, group }: WantedUser): Sql =>
  sql`alter role ${ident(name)} set role = ${literal(group)}`;

/** Grant the group with all that a member has by default. */
export const joinGroup = ({ name, group }: WantedUser, version: number): Sql =>
  sql`grant ${ident(group)} to ${ident(name)}${version >= SPLIT_MEMBERSHIP ? sql` with inherit true, set true` : sql``}`;

/** The statements that create a user, in one transaction. */
export const createUser = (
  tag: string,
  user: WantedUser,
  verifier: string,
  version: number,
): readonly Sql[] => [
  sql`create role ${ident(user.name)} login inherit nocreaterole nocreatedb password ${literal(verifier)}`,
  sayWhose(tag, user),
  joinGroup(user, version),
  ...(user.actsAsGroup ? [actAsGroup(user)] : []),
];

/** Whether a user is a member of its group as needed. An adopted user needs only the membership. */
export function isMember(tag: string, user: WantedUser, state: UserState): boolean {
  const found = state.memberships.find(({ group }) => group === user.group);
  if (found === undefined) return false;
  if (!isOurs(tag, state)) return found.set || !user.actsAsGroup;
  return found.inherit && found.set;
}

/** The statements that repair a user besides its membership. An adopted user is hardly changed. */
export function mendsOf(tag: string, user: WantedUser, state: UserState): readonly Sql[] {
  const name = ident(user.name);
  const acts = user.actsAsGroup && state.acts_as !== user.group ? [actAsGroup(user)] : [];
  if (!isOurs(tag, state)) return acts;
  const words = [
    ...(state.login ? [] : [sql`login`]),
    ...(state.inherit ? [] : [sql`inherit`]),
    ...(state.create_role ? [sql`nocreaterole`] : []),
    ...(state.create_db ? [sql`nocreatedb`] : []),
    ...(state.ends ? [sql`valid until 'infinity'`] : []),
  ];
  const others = state.memberships.filter(({ group, own }) => own && group !== user.group);
  return [
    ...(words.length === 0 ? [] : [sql`alter role ${name} ${joined(words, sql` `)}`]),
    ...(state.comment === rotatedUserComment(tag, user.secret) ? [] : [sayWhose(tag, user)]),
    ...acts,
    ...(user.actsAsGroup || state.acts_as === null ? [] : [sql`alter role ${name} reset role`]),
    ...others.map(({ group }) => sql`revoke ${ident(group)} from ${name}`),
  ];
}

/**
 * Remove LOGIN, the password and the memberships that Mayfly granted. Readers recognise the latch
 * by the expiry.
 */
export const latchUser = ({ name, memberships }: UserState): readonly Sql[] => [
  sql`alter role ${ident(name)} nologin password null valid until '-infinity'`,
  ...memberships
    .filter(({ own }) => own)
    .map(({ group }) => sql`revoke ${ident(group)} from ${ident(name)}`),
];
