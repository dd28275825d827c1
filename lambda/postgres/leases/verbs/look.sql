-- One role by name, with the columns of list, or a row of nulls; the number of its sessions; and
-- the clock.
create or replace function look(username text)
returns table (
  now float8, incarnation text, username text, can_login boolean, valid_until float8,
  privileged boolean, member_of text[], admins text[], record text, administers_itself boolean, sessions int
) language sql stable as $body$
  select floor(extract(epoch from clock_timestamp()) * 1000), r.oid::text, r.rolname::text, r.rolcanlogin,
    case when isfinite(r.rolvaliduntil) then floor(extract(epoch from r.rolvaliduntil) * 1000) end,
    r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
    array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
      where m.member = r.oid),
    array(select a.rolname::text from pg_auth_members m join pg_roles a on a.oid = m.member
      where m.roleid = r.oid and m.admin_option),
    left(shobj_description(r.oid, 'pg_authid'), 1001),
    current_setting('server_version_num')::int < 150000,
    (select count(*)::int from pg_stat_activity a where a.usesysid = r.oid)
  from (select 1) one left join pg_roles r on r.rolname = $1::name
$body$;
