-- Ends backends that keep a lock of Mayfly: backends of issuer logins, of any stack, that hold the
-- lock for issuing a dynamic role of this stack, or the lock of one of its groups or leases
-- (object, an OID). No other backends, and no other locks. Owned by the role that may signal
-- backends; only issuer roles may execute it.
create or replace function end_holders(pids int[], role text, object oid)
returns table (ended int)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  holders int[];
begin
  select coalesce(array_agg(distinct l.pid), '{}') into holders
    from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.pid = any (pids) and l.granted and a.usename ~ '^mf_[a-z2-7]{4}_login_[ab]$'
      and (l.locktype = 'advisory' and l.objsubid = 2
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.classid = (hashtext('mayfly ' || tag)::int8 & 4294967295)::oid
          and l.objid = (hashtext(end_holders.role)::int8 & 4294967295)::oid
        or l.locktype = 'object' and l.database = 0 and l.classid = 'pg_authid'::regclass
          and l.objid = end_holders.object
          and exists (select from pg_roles r where r.oid = end_holders.object
            and starts_with(r.rolname::text, 'mf_' || tag || '_')));
  perform pg_terminate_backend(h.pid) from unnest(holders) as h (pid);
  return query select cardinality(holders);
end
$body$;
