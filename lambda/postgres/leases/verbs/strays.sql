-- Objects owned by Mayfly's own roles, which should own nothing outside this database, by database
-- and catalog: of these roles, or of all if names is null. A lease that acts as its group can
-- create objects that belong to the group and outlive the lease.
--
-- Only a limited number of dependencies is read per role, however many a lease has created: a role
-- with more is reported as pg_shdepend, because it may own some of the others.
create or replace function strays(names text[])
returns table (owner text, database text, catalog text, counted int)
language sql stable as $body$
  with seen as materialized (
    select r.rolname::text as owner, x.dbid, x.classid, x.deptype
      from (select 'mf_' || split_part(session_user, '_', 2) || '_' as ours) p
      join pg_roles r on r.rolname >= p.ours::name and r.rolname < (p.ours || '~')::name
        and r.rolname ~ ('^' || p.ours || '(group_[a-z0-9-]+|issuer_[a-z2-7]{2}|login_[ab]|janitor|ender)$')
        and (strays.names is null or r.rolname = any (strays.names))
      cross join lateral (select s.dbid, s.classid, s.deptype from pg_shdepend s
        where s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid limit 200000) x
  ), counted as (
    select s.owner, s.dbid, s.classid, count(*)::int as counted from seen s
      where s.deptype = 'o' group by 1, 2, 3
  )
  select c.owner, coalesce(d.datname::text, 'cluster'), c.classid::regclass::text, c.counted
    from counted c left join pg_database d on d.oid = c.dbid
    where d.datname is distinct from current_database()
  union all
  select s.owner, 'cluster', 'pg_shdepend', count(*)::int from seen s group by 1 having count(*) >= 200000
  order by 1, 2, 3
$body$;
