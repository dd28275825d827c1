import type { Session } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";

/**
 * `$1` a user, `$2` another, `$3` how many rows at most. Everything in this database, and of the roles
 * themselves, that one of them may do and the other may not. What PostgreSQL itself and its catalogs
 * grant is the same for everyone.
 */
const differences = sql`
with pair as (
  select p.oid as a, o.oid as b, p as mine, o as theirs
  from pg_catalog.pg_roles p, pg_catalog.pg_roles o
  where p.rolname = $1::text and o.rolname = $2::text
), spaces as (
  select n.oid, n.nspname, n.nspowner from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), found as (
  select 1 as rank, 'membership in ' || r.rolname as what,
    pg_catalog.pg_has_role(a, r.oid, 'MEMBER') as mine,
    pg_catalog.pg_has_role(b, r.oid, 'MEMBER') as theirs
  from pair, pg_catalog.pg_roles r where r.oid not in (a, b) and not r.rolsuper
  union all
  select 2, attribute.name, attribute.mine, attribute.theirs
  from pair, lateral (values
    ('INHERIT', (pair.mine).rolinherit, (pair.theirs).rolinherit),
    ('CREATEDB', (pair.mine).rolcreatedb, (pair.theirs).rolcreatedb),
    ('CREATEROLE', (pair.mine).rolcreaterole, (pair.theirs).rolcreaterole),
    ('BYPASSRLS', (pair.mine).rolbypassrls, (pair.theirs).rolbypassrls)
  ) as attribute(name, mine, theirs)
  union all
  select 3, 'the setting ' || s, coalesce(s = any ((pair.mine).rolconfig), false),
    coalesce(s = any ((pair.theirs).rolconfig), false)
  from pair, pg_catalog.unnest((pair.mine).rolconfig || (pair.theirs).rolconfig) as s
  union all
  select 4, privilege || ' on the database', pg_catalog.has_database_privilege(a, d.oid, privilege),
    pg_catalog.has_database_privilege(b, d.oid, privilege)
  from pair, pg_catalog.pg_database d,
    pg_catalog.unnest('{CONNECT,CREATE,TEMPORARY}'::text[]) as privilege
  where d.datname = pg_catalog.current_database()
  union all
  select 5, privilege || ' on schema ' || n.nspname,
    pg_catalog.has_schema_privilege(a, n.oid, privilege),
    pg_catalog.has_schema_privilege(b, n.oid, privilege)
  from pair, spaces n, pg_catalog.unnest('{USAGE,CREATE}'::text[]) as privilege
  union all
  select 6, 'ownership of ' || n.nspname || '.' || c.relname,
    pg_catalog.pg_has_role(a, c.relowner, 'USAGE'), pg_catalog.pg_has_role(b, c.relowner, 'USAGE')
  from pair, pg_catalog.pg_class c join spaces n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select 7, privilege || ' on ' || n.nspname || '.' || c.relname,
    pg_catalog.has_table_privilege(a, c.oid, privilege),
    pg_catalog.has_table_privilege(b, c.oid, privilege)
  from pair, pg_catalog.pg_class c join spaces n on n.oid = c.relnamespace,
    pg_catalog.unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[])
      as privilege
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
  union all
  select 8, privilege || ' on ' || n.nspname || '.' || c.relname,
    pg_catalog.has_sequence_privilege(a, c.oid, privilege),
    pg_catalog.has_sequence_privilege(b, c.oid, privilege)
  from pair, pg_catalog.pg_class c join spaces n on n.oid = c.relnamespace,
    pg_catalog.unnest('{USAGE,SELECT,UPDATE}'::text[]) as privilege
  where c.relkind = 'S'
  union all
  select 9, privilege || ' on ' || n.nspname || '.' || c.relname || '.' || t.attname,
    pg_catalog.has_column_privilege(a, c.oid, t.attnum, privilege),
    pg_catalog.has_column_privilege(b, c.oid, t.attnum, privilege)
  from pair, pg_catalog.pg_attribute t join pg_catalog.pg_class c on c.oid = t.attrelid
    join spaces n on n.oid = c.relnamespace,
    pg_catalog.unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) as privilege
  where t.attacl is not null
  union all
  select 10, 'EXECUTE on ' || f.oid::pg_catalog.regprocedure::text,
    pg_catalog.has_function_privilege(a, f.oid, 'EXECUTE'),
    pg_catalog.has_function_privilege(b, f.oid, 'EXECUTE')
  from pair, pg_catalog.pg_proc f join spaces n on n.oid = f.pronamespace
)
select distinct rank, what, mine from found
where mine <> theirs
order by rank, what
limit $3::int`;

/** What one of two users may do that the other may not, in words. */
export async function differencesBetween(
  session: Session,
  username: string,
  other: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await session.rows<{ what: string; mine: boolean }>(
    "compare the users of a secret",
    differences,
    [username, other, limit],
  );
  return rows.map(({ what, mine }) =>
    mine
      ? `${username} has ${what}, ${other} has not`
      : `${other} has ${what}, ${username} has not`,
  );
}
