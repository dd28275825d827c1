import { type Sql, sql } from "../../connection/sql.ts";

/** Of `w`, a privilege on all of a schema: whether that means a name. */
export const isCovered = (name: Sql): Sql =>
  sql`${name}::text <> all (coalesce(w.without, array[]::text[]))`;

/** Of `c`, a relation: whether a lease made it, or acted as its group. Nobody else makes anything as such. */
export const isOfLeases = sql`pg_catalog.pg_get_userbyid(c.relowner) ~ '^mf_[a-z2-7]{4}_'`;

/**
 * The relations `c` that each privilege `w` of `wanted`, a list as JSON, means, with their schema `n`.
 * `schema.*` leaves out what belongs to an extension, which comes with privileges of its own, what a lease
 * made, which nobody else can grant, and what the configuration excepts.
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
 * Whether `role` effectively holds privilege `w` on relation `c`. Both kinds are asked for in the
 * CASE as well as in the join: PostgreSQL may evaluate this first, and each function throws for
 * relations of the other kind.
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
