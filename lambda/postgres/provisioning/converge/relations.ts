import { type Sql, sql } from "../../connection/sql.ts";

/** Whether `w`, a privilege on all relations of a schema, covers a name. */
export const isCovered = (name: Sql): Sql =>
  sql`${name}::text <> all (coalesce(w.without, array[]::text[]))`;

/**
 * Whether a lease created the relation `c`, as itself or as its group. Nobody else creates objects
 * as these roles.
 */
export const isOfLeases = sql`pg_catalog.pg_get_userbyid(c.relowner) ~ '^mf_[a-z2-7]{4}_'`;

/**
 * The relations `c`, with their schema `n`, that each privilege `w` of `wanted`, a JSON list,
 * covers. `schema.*` does not cover relations of extensions, which have their own privileges,
 * relations that a lease created, which nobody else can grant, and the configuration's exceptions.
 */
export const matchingRelations = (
  wanted: Sql,
): Sql => sql`from pg_catalog.jsonb_to_recordset(${wanted}::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text, without text[])
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid
  and c.relkind = any (case w.kind when 'sequence' then array['S']
    else array['r', 'p', 'v', 'm', 'f'] end::"char"[])
  and (c.relname = w.name or w.name is null and ${isCovered(sql`c.relname`)}
    and not ${isOfLeases} and not exists (
    select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid
      and e.deptype = 'e'))`;

/**
 * Whether `role` effectively has privilege `w` on relation `c`. The CASE repeats the join's check
 * of the kind: PostgreSQL may evaluate this first, and each function throws for relations of the
 * other kind.
 */
export const holds = (role: Sql, withGrantOption: boolean): Sql => {
  const privilege = withGrantOption ? sql`w.privilege || ' WITH GRANT OPTION'` : sql`w.privilege`;
  return sql`case
  when w.kind = 'sequence' and c.relkind = 'S'
    then pg_catalog.has_sequence_privilege(${role}::name, c.oid, ${privilege})
  when w.kind = 'table' and c.relkind <> 'S'
    then pg_catalog.has_table_privilege(${role}::name, c.oid, ${privilege})
end`;
};
