-- What should not exist: sessions of dropped roles (the OID), and members of the stack's groups
-- (group, then member) that are not Mayfly's own, not users of rotated secrets and not the
-- administrator who created the group.
create or replace function sweep()
returns table (kind text, subject text, detail text)
language sql stable as $body$
  select distinct 'session', a.usesysid::text, null::text from pg_stat_activity a
    where a.usesysid is not null and not exists (select from pg_roles r where r.oid = a.usesysid)
  union all
  select 'member', g.rolname::text, u.rolname::text
    from (select 'mf_' || split_part(session_user, '_', 2) || '_' as ours) p
    join pg_roles g on g.rolname >= (p.ours || 'group_')::name and g.rolname < (p.ours || 'group_~')::name
    join pg_auth_members m on m.roleid = g.oid
    join pg_roles u on u.oid = m.member
    where not starts_with(u.rolname::text, p.ours)
      and not starts_with(coalesce(shobj_description(u.oid, 'pg_authid'), ''),
        'mayfly rotated user of ' || split_part(session_user, '_', 2) || '/')
      -- before 16, a role with CREATEROLE can grant itself any role, and an administrator does so
      -- to keep its power
      and not (current_setting('server_version_num')::int < 160000 and u.rolcreaterole and m.admin_option)
      and u.oid <> (select d.datdba from pg_database d where d.datname = current_database())
$body$;
