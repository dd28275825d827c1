-- What blocks the DROP of a lease, by database, catalog and kind (pg_shdepend.deptype).
create or replace function blockers(username text, incarnation oid)
returns table (database text, catalog text, kind text, counted int)
language sql stable as $body$
  select coalesce(d.datname::text, 'cluster'), s.classid::regclass::text,
      case s.deptype when 'o' then 'owner' when 'a' then 'privilege' when 'i' then 'privilege'
        when 'r' then 'policy' else s.deptype::text end,
      count(*)::int
    from pg_shdepend s left join pg_database d on d.oid = s.dbid
    where s.refclassid = 'pg_authid'::regclass and s.refobjid = blockers.incarnation
      and s.classid <> 'pg_auth_members'::regclass
    group by 1, 2, 3
  union all
  select 'cluster', 'pg_auth_members', 'membership', count(*)::int
    from pg_auth_members a where a.grantor = blockers.incarnation having count(*) > 0
  union all
  select p.database::text, 'pg_prepared_xacts', 'prepared', count(*)::int
    from pg_prepared_xacts p where p.owner = blockers.username::name group by 1
  order by 1, 2, 3
$body$;
