import { groupRoleName } from "../../../core/names.ts";
import type { Session } from "../connection/session.ts";
import { integer, type Sql, sql } from "../connection/sql.ts";
import type { Grant } from "../provisioning/converge/grant-entries.ts";

/** A privilege on an object of a kind that the configuration cannot name. */
export interface OtherGrant extends Grant {
  readonly identity: Sql | null;
  /** The function runs with the rights of this role, its owner. */
  readonly definer: string | null;
}

/**
 * Most privileges of one kind, schema, grantee and grantor: there may be millions of large objects,
 * and they must not hide what is of another kind. The next answer has the next ones.
 */
const MOST = integer(2_000);

/** Objects of a database with their privileges, of kinds that the configuration cannot name. */
const otherObjects = sql`
  select case p.prokind when 'p' then 'procedure' else 'function' end as kind, 'pg_catalog.pg_proc'::pg_catalog.regclass as class, p.oid,
    p.pronamespace as inside, p.proowner as owner, p.proacl as acl,
    case when p.prosecdef then p.proowner end as definer
  from pg_catalog.pg_proc p
  union all
  select 'type', 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, t.typowner,
    t.typacl, null
  from pg_catalog.pg_type t
  union all
  select 'language', 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, null, l.lanowner,
    l.lanacl, null
  from pg_catalog.pg_language l
  union all
  select 'foreign data wrapper', 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid,
    null, f.fdwowner, f.fdwacl, null
  from pg_catalog.pg_foreign_data_wrapper f
  union all
  select 'foreign server', 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, null,
    s.srvowner, s.srvacl, null
  from pg_catalog.pg_foreign_server s
  union all
  select 'large object', 'pg_catalog.pg_largeobject'::pg_catalog.regclass, m.oid, null, m.lomowner,
    m.lomacl, null
  from pg_catalog.pg_largeobject_metadata m`;

/** Objects of the server with their privileges. Parameters have some from 15 on. */
const otherShared = (version: number): Sql => sql`
  select 'tablespace' as kind, 'pg_catalog.pg_tablespace'::pg_catalog.regclass as class, t.oid,
    null::oid as inside, t.spcowner as owner, t.spcacl as acl, null::oid as definer
  from pg_catalog.pg_tablespace t${
    version < PARAMETER_PRIVILEGES
      ? sql``
      : sql`
  union all
  select 'parameter', 'pg_catalog.pg_parameter_acl'::pg_catalog.regclass, p.oid, null, 10, p.paracl,
    null
  from pg_catalog.pg_parameter_acl p`
  }`;

/** From this version on SET and ALTER SYSTEM are privileges. */
export const PARAMETER_PRIVILEGES = 150_000;

/**
 * The first of each kind in `e`, as SQL names them. The server's own identities do not quote names
 * of settings, have SQL's words for types (`timestamp with time zone`), and name two procedures
 * alike that differ in what is OUT.
 */
const otherColumns = sql`
select e.kind, n.nspname::text as namespace, i.identity as name, i.identity, null::text as col,
  coalesce(g.rolname::text, 'PUBLIC') as grantee, b.rolname::text as grantor,
  e.privilege_type as privilege, false as option,
  case when e.definer is not null then pg_catalog.pg_get_userbyid(e.definer)::text end as definer
from (select e.*, pg_catalog.row_number() over (
    partition by e.kind, e.inside, e.grantee, e.grantor
    order by e.definer is null, e.oid, e.privilege_type) as nth from e) e
  join pg_catalog.pg_roles b on b.oid = e.grantor
  left join pg_catalog.pg_roles g on g.oid = e.grantee
  left join pg_catalog.pg_namespace n on n.oid = e.inside
  left join lateral (select case e.kind
      when 'type' then (select pg_catalog.format('%I.%I', n.nspname, t.typname)
        from pg_catalog.pg_type t where t.oid = e.oid)
      when 'procedure' then pg_catalog.format('%I.%I(%s)', n.nspname,
        (select p.proname from pg_catalog.pg_proc p where p.oid = e.oid),
        pg_catalog.pg_get_function_identity_arguments(e.oid))
      when 'parameter' then pg_catalog.quote_ident(o.identity) else o.identity end as identity
    from pg_catalog.pg_identify_object(e.class, e.oid, 0) o) i on e.class is not null
where e.nth <= ${MOST}
order by e.kind, namespace, e.definer is null, name, grantee, grantor, privilege`;

/** `$1` the prefix of group roles, `$2` that of leases and groups. */
const otherGrants = (objects: Sql, defaults: Sql): Sql => sql`
with o as (${objects}),
a as (
  select o.kind, o.class, o.oid, o.inside, o.owner, o.definer, a.*
  from o cross join pg_catalog.aclexplode(o.acl) a${defaults}),
e as (
  select a.* from a join pg_catalog.pg_roles g on g.oid = a.grantee
    join pg_catalog.pg_roles w on w.oid = a.owner
  where pg_catalog.starts_with(g.rolname::text, $1)
    and not pg_catalog.starts_with(w.rolname::text, $2))
${otherColumns}`;

/** Those on tables and sequences to come the configuration names. */
const otherDefaults = sql`
  union all
  select case d.defaclobjtype when 'f' then 'default function' when 'T' then 'default type'
      when 'n' then 'default schema' else 'default large object' end,
    null, null, d.defaclnamespace, d.defaclrole, null, a.*
  from pg_catalog.pg_default_acl d cross join pg_catalog.aclexplode(d.defaclacl) a
  where d.defaclobjtype not in ('r', 'S')`;

/**
 * `$1` groups, `$2` the prefix of leases and groups. Of functions everybody may run most by
 * default: only those count that run with the rights of somebody else. Trusted languages and types
 * are everybody's.
 */
const othersOpen = (objects: Sql): Sql => sql`
with o as (${objects}),
a as (
  select o.kind, o.class, o.oid, o.inside, o.owner, o.definer, a.*
  from o cross join pg_catalog.aclexplode(case
    when o.definer is not null then coalesce(o.acl, pg_catalog.acldefault('f', o.owner))
    when o.kind not in ('function', 'procedure', 'type', 'language') then o.acl end) a
  where a.grantee = 0),
e as (
  select a.* from a join pg_catalog.pg_roles w on w.oid = a.owner
    left join pg_catalog.pg_namespace n on n.oid = a.inside
  where not pg_catalog.starts_with(w.rolname::text, $2)
    and (a.inside is null or n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and exists (select from pg_catalog.pg_roles h where h.rolname = any ($1::text[])
        and pg_catalog.has_schema_privilege(h.oid, a.inside, 'USAGE')))
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = a.class and d.objid = a.oid and d.deptype = 'e')
    and not exists (select from pg_catalog.pg_proc p
      where a.kind = 'function' and p.oid = a.oid
        and p.prorettype = any (array['trigger', 'event_trigger']::pg_catalog.regtype[])))
${otherColumns}`;

/** What groups, and everybody, may do with objects that the configuration cannot name. */
interface OtherGrants {
  readonly groups: readonly OtherGrant[];
  readonly everybody: readonly OtherGrant[];
}

async function others(
  session: Session,
  { tag, groups, objects, defaults }: OthersWanted,
): Promise<OtherGrants> {
  const prefix = `mf_${tag}_`;
  const read = (query: Sql, first: unknown): Promise<OtherGrant[]> =>
    session.rows("read what is granted", query, [first, prefix]);
  return {
    groups: await read(otherGrants(objects, defaults), groupRoleName(tag, "")),
    everybody: await read(othersOpen(objects), groups),
  };
}

interface OthersWanted {
  readonly tag: string;
  /** The groups of the plan. */
  readonly groups: readonly string[];
  readonly objects: Sql;
  readonly defaults: Sql;
}

/** On functions, types, languages, foreign data, large objects and what is to come of them. */
export const othersIn = (
  session: Session,
  of: Pick<OthersWanted, "tag" | "groups">,
): Promise<OtherGrants> =>
  others(session, { ...of, objects: otherObjects, defaults: otherDefaults });

/** On parameters and tablespaces, which all databases share. */
export const othersOnServer = (
  session: Session,
  version: number,
  of: Pick<OthersWanted, "tag" | "groups">,
): Promise<OtherGrants> =>
  others(session, { ...of, objects: otherShared(version), defaults: sql`` });
