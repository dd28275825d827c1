import { sql } from "../sql.ts";

/**
 * The relations `c` that each wanted privilege `w` (`$1`, as JSON) means, with their schema `n`.
 * `schema.*` leaves out what belongs to an extension, which comes with privileges of its own.
 */
export const matchingRelations = sql`
from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid
  and c.relkind = any (case w.kind when 'sequence' then array['S']
    else array['r', 'p', 'v', 'm', 'f'] end::"char"[])
  and (c.relname = w.name or w.name is null and not exists (
    select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid
      and e.deptype = 'e'))`;
