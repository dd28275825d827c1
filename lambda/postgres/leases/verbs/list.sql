-- Roles that are named like leases of the stack, sorted by name: up to `most` of them after the
-- given name. Mayfly's own roles (issuer roles, logins, groups, the janitor) are left out. A row
-- proves nothing: the caller compares the name, the attributes, the memberships and the record.
create or replace function list(after text, most int)
returns table (
  now float8, incarnation text, username text, can_login boolean, valid_until float8,
  privileged boolean, member_of text[], admins text[], record text, administers_itself boolean
) language sql stable as $body$
  select floor(extract(epoch from clock_timestamp()) * 1000), r.oid::text, r.rolname::text, r.rolcanlogin,
    case when isfinite(r.rolvaliduntil) then floor(extract(epoch from r.rolvaliduntil) * 1000) end,
    r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
    array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
      where m.member = r.oid),
    array(select a.rolname::text from pg_auth_members m join pg_roles a on a.oid = m.member
      where m.roleid = r.oid and m.admin_option),
    left(shobj_description(r.oid, 'pg_authid'), 1001),
    current_setting('server_version_num')::int < 150000
  from (select 'mf_' || split_part(session_user, '_', 2) || '_' as ours) p
  left join lateral (select x.* from pg_roles x
    where x.rolname > greatest(coalesce(list.after, ''), p.ours)::name
      and x.rolname < (p.ours || '~')::name
      and x.rolname !~ ('^' || p.ours || '(issuer_[a-z2-7]{2}|login_[ab]|group_[a-z0-9-]+|janitor|ender)$')
    order by x.rolname limit list.most) r on true
  order by r.rolname
$body$;
