import { groupRoleName } from "../../../../core/names.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";
import { isCovered } from "./relations.ts";

/** One privilege of one role, granted by one grantor, that can be revoked. */
export interface Grant {
  readonly kind: keyof typeof OBJECTS;
  /**
   * The schema; the database for its own privileges; null for what is in none, and for defaults of
   * every schema.
   */
  readonly namespace: string | null;
  readonly name: string | null;
  /** The object as SQL names it, made by the server. Null: schema and name are enough. */
  readonly identity?: Sql | null;
  readonly col: string | null;
  readonly grantee: string;
  readonly grantor: string;
  /** As SQL spells it, e.g. `SELECT`. */
  readonly privilege: string;
  /** The privilege is wanted, but not its grant option. */
  readonly option: boolean;
}

/** A privilege that is not in the plan. */
export interface UnwantedGrant extends Grant {
  /** The administrator can become the grantor. Only the grantor can revoke the privilege (C14). */
  readonly reachable: boolean;
}

/** What is granted on each kind of object, with `namespace` and `name`. */
const OBJECTS = {
  table: sql`table`,
  column: sql`table`,
  sequence: sql`sequence`,
  schema: sql`schema`,
  database: sql`database`,
  "default table": sql`tables`,
  "default sequence": sql`sequences`,
  // those that the configuration cannot name
  function: sql`function`,
  procedure: sql`procedure`,
  type: sql`type`,
  language: sql`language`,
  "foreign data wrapper": sql`foreign data wrapper`,
  "foreign server": sql`foreign server`,
  "large object": sql`large object`,
  parameter: sql`parameter`,
  tablespace: sql`tablespace`,
  "default function": sql`functions`,
  "default type": sql`types`,
  "default schema": sql`schemas`,
  "default large object": sql`large objects`,
} as const;

const PRIVILEGES = new Map(
  [
    sql`select`,
    sql`insert`,
    sql`update`,
    sql`delete`,
    sql`truncate`,
    sql`references`,
    sql`trigger`,
    sql`maintain`,
    sql`usage`,
    sql`create`,
    sql`connect`,
    sql`temporary`,
    sql`execute`,
    sql`set`,
    sql`alter system`,
  ].map((word) => [word.toUpperCase(), word]),
);

/** Any privilege as an SQL keyword. @throws RangeError for an unknown one. */
function wordOf(privilege: string): Sql {
  const word = PRIVILEGES.get(privilege);
  if (word === undefined) throw new RangeError(`${privilege} is no privilege`);
  return word;
}

const columns = (version: number): Sql => sql`
  e.kind, e.namespace::text as namespace, e.name::text as name, e.col::text as col,
  g.rolname::text as grantee, b.rolname::text as grantor, e.privilege_type as privilege,
  pg_catalog.pg_has_role(b.oid, ${version >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`}) as reachable`;

/**
 * `$1` wanted privileges as JSON, `$2` the prefix of group roles, `$3` the owner, `$4` the prefix
 * of leases and groups: objects that they created and grant to each other do not matter, and end
 * with them.
 */
const inDatabase = (version: number): Sql => sql`
with w as (select * from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text, without text[],
    creates boolean)),
e as (
  select case c.relkind when 'S' then 'sequence' else 'table' end as kind, n.nspname as namespace,
    c.relname as name, null::name as col, c.relowner as owner, a.*
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace,
    pg_catalog.aclexplode(c.relacl) a
  where n.nspname !~ '^pg_temp_'
  union all
  select 'column', n.nspname, c.relname, t.attname, c.relowner, a.*
  from pg_catalog.pg_attribute t join pg_catalog.pg_class c on c.oid = t.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace, pg_catalog.aclexplode(t.attacl) a
  where n.nspname !~ '^pg_temp_'
  union all
  select 'schema', n.nspname, null, null, n.nspowner, a.*
  from pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
  union all
  select case d.defaclobjtype when 'S' then 'default sequence' else 'default table' end,
    n.nspname, null, null, d.defaclrole, a.*
  from pg_catalog.pg_default_acl d
    left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace,
    pg_catalog.aclexplode(d.defaclacl) a
  where d.defaclobjtype in ('r', 'S')),
judged as (
  select ${columns(version)}, e.is_grantable, case e.kind
    when 'schema' then exists (select from w where w."groupRole" = g.rolname
      and w.schema = e.namespace
      and (e.privilege_type = 'USAGE' or e.privilege_type = 'CREATE' and w.creates))
    when 'default table' then b.rolname = $3 and exists (select from w
      where w."groupRole" = g.rolname and w.schema = e.namespace and w.name is null
        and w.kind = 'table' and w.privilege = e.privilege_type)
    when 'default sequence' then b.rolname = $3 and exists (select from w
      where w."groupRole" = g.rolname and w.schema = e.namespace and w.name is null
        and w.kind = 'sequence' and w.privilege = e.privilege_type)
    else exists (select from w
      where w."groupRole" = g.rolname and w.schema = e.namespace
        and (w.name is null and ${isCovered(sql`e.name`)} or w.name = e.name)
        and w.kind = case e.kind when 'column' then 'table' else e.kind end
        and w.privilege = e.privilege_type) end as wanted
  from e join pg_catalog.pg_roles g on g.oid = e.grantee
    join pg_catalog.pg_roles b on b.oid = e.grantor
    join pg_catalog.pg_roles o on o.oid = e.owner
  where pg_catalog.starts_with(g.rolname::text, $2)
    and not pg_catalog.starts_with(o.rolname::text, $4))
select kind, namespace, name, col, grantee, grantor, privilege, wanted as option, reachable
from judged where not wanted or is_grantable
order by kind, namespace, name, col, grantee, grantor, privilege`;

/** `$1` pairs of role and database as JSON that may connect, `$2` the pattern of the roles. */
const onDatabases = (version: number): Sql => sql`
with w as (select * from pg_catalog.jsonb_to_recordset($1::jsonb) as w(role text, database text)),
e as (select 'database' as kind, d.datname as namespace, null::name as name, null::name as col, a.*
  from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a),
judged as (
  select ${columns(version)}, e.is_grantable, e.privilege_type = 'CONNECT' and exists (
    select from w where w.role = g.rolname and w.database = e.namespace) as wanted
  from e join pg_catalog.pg_roles g on g.oid = e.grantee
    join pg_catalog.pg_roles b on b.oid = e.grantor
  where g.rolname::text ~ $2)
select kind, namespace, name, col, grantee, grantor, privilege, wanted as option, reachable
from judged where not wanted or is_grantable
order by namespace, grantee, grantor, privilege`;

/** The privileges of the group roles in one application database beyond `wanted`, a JSON list. */
export const unwantedIn = (
  session: Session,
  version: number,
  [wanted, tag, owner]: readonly [string, string, string],
): Promise<UnwantedGrant[]> =>
  session.rows("read what is granted", inDatabase(version), [
    wanted,
    groupRoleName(tag, ""),
    owner,
    `mf_${tag}_`,
  ]);

/** The privileges on databases of roles that match `pattern`, beyond CONNECT in `wanted`. */
export const unwantedOnDatabases = (
  session: Session,
  version: number,
  wanted: readonly { readonly role: string; readonly database: string }[],
  pattern: string,
): Promise<UnwantedGrant[]> =>
  session.rows("read what is granted", onDatabases(version), [JSON.stringify(wanted), pattern]);

/**
 * Revoke grants of one grantor, as that grantor. Similar relations share a statement, because there
 * may be thousands. Grants that the grantee passed on are revoked too.
 *
 * @param from instead of each grantee.
 */
export function revocations(grants: readonly Grant[], from?: Sql): readonly Sql[] {
  const alike = Map.groupBy(grants, ({ kind, namespace, col, grantee, privilege, option }) =>
    JSON.stringify([
      kind,
      kind.startsWith("default") ? namespace : col,
      grantee,
      privilege,
      option,
    ]),
  );
  return [...alike.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [revocation(first, same, from ?? ident(first.grantee))];
  });
}

function revocation(first: Grant, alike: readonly Grant[], from: Sql): Sql {
  const { kind, namespace, col, option } = first;
  const privilege = wordOf(first.privilege);
  const what = option ? sql`grant option for ${privilege}` : privilege;
  const objects = OBJECTS[kind];
  if (kind.startsWith("default ")) {
    const where = namespace === null ? sql`` : sql`in schema ${ident(namespace)} `;
    return sql`alter default privileges ${where}revoke ${what} on ${objects} from ${from}`;
  }
  const names = joined(alike.map(nameOf), sql`, `);
  const cols = col === null ? sql`` : sql` (${ident(col)})`;
  return sql`revoke ${what}${cols} on ${objects} ${names} from ${from} cascade`;
}

const nameOf = ({ namespace, name, identity }: Grant): Sql => {
  if (identity !== undefined && identity !== null) return identity;
  return name === null ? ident(namespace ?? "") : sql`${ident(namespace ?? "")}.${ident(name)}`;
};
