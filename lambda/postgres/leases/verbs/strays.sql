-- What roles of Mayfly's own, which own nothing outside this database, own all the same, by database and
-- catalog: of these roles, or of all where names is null. A lease that acts as its group can make things
-- that are the group's, and outlive it.
create or replace function strays(names text[])
returns table (owner text, database text, catalog text, counted int)
language sql stable as $body$
  select r.rolname::text, coalesce(d.datname::text, 'cluster'), s.classid::regclass::text, count(*)::int
    from (select 'mf_' || split_part(session_user, '_', 2) || '_' as ours) p
    join pg_roles r on r.rolname >= p.ours::name and r.rolname < (p.ours || '~')::name
      and r.rolname ~ ('^' || p.ours || '(group_[a-z0-9-]+|issuer_[a-z2-7]{2}|login_[ab]|janitor|ender)$')
      and (strays.names is null or r.rolname = any (strays.names))
    join pg_shdepend s on s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid and s.deptype = 'o'
    left join pg_database d on d.oid = s.dbid
    where d.datname is distinct from current_database()
    group by 1, 2, 3
    order by 1, 2, 3
    limit 100
$body$;
