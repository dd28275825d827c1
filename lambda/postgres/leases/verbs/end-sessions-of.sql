-- Ends sessions of leases, or of dropped roles, by OID. Owned by the role that may signal backends;
-- only issuer roles may execute it. It first lists the sessions and then signals them: in one WHERE
-- the server may signal before it has compared whose session it is. Then it waits up to 250 ms for
-- all of them together, and counts the remaining sessions by OID, not by the signalled backends. A
-- role with the OID but another name is somebody else's, because OIDs are reused. Sessions of a
-- role that is not a lease are ended only if the provisioner has shut the role as a latch does.
create or replace function end_sessions_of(names text[], incarnations oid[])
returns table (name text, incarnation oid, ended int, remaining int, who jsonb)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  ours oid[];
  signalled int[];
  seen jsonb;
  left_over int;
begin
  perform pg_stat_clear_snapshot(); -- what an earlier look in this transaction saw
  select coalesce(array_agg(w.incarnation), '{}') into ours
    from unnest(names, incarnations) as w (name, incarnation)
    left join pg_roles r on r.oid = w.incarnation
    where w.incarnation >= 16384
      and (r.oid is null or (r.rolname = w.name
        and (r.rolname ~ ('^mf_' || tag || '_[a-z0-9-]{1,14}_[a-z0-9-]{1,16}_[a-z0-9]{22}$')
          or not r.rolcanlogin and r.rolvaliduntil = '-infinity')
        and not (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls)));
  select coalesce(array_agg(a.pid), '{}'), jsonb_agg(jsonb_build_object(
      'of', a.usesysid::text, 'pid', a.pid, 'application', left(a.application_name, 64),
      'address', host(a.client_addr), 'since', floor(extract(epoch from a.backend_start) * 1000)))
    into signalled, seen
    from pg_stat_activity a where a.usesysid = any (ours) and a.pid <> pg_backend_pid();
  perform pg_terminate_backend(t.pid) from unnest(signalled) as t (pid);
  for look in 0..25 loop
    exit when signalled = '{}';
    perform pg_stat_clear_snapshot();
    select count(*) into left_over from pg_stat_activity a
      where a.usesysid = any (ours) and a.pid = any (signalled);
    exit when left_over = 0;
    perform pg_sleep(0.01);
  end loop;
  perform pg_stat_clear_snapshot();
  return query
    with still as (select a.pid, a.usesysid from pg_stat_activity a
      where a.usesysid = any (ours) and a.pid <> pg_backend_pid())
    select w.name, w.incarnation,
      (select count(*)::int from jsonb_array_elements(seen) s where s ->> 'of' = w.incarnation::text
        and not exists (select from still where still.pid = (s ->> 'pid')::int
          and still.usesysid = w.incarnation)),
      (select count(*)::int from still where still.usesysid = w.incarnation),
      (select jsonb_agg(t.s - 'of' - 'pid') from (select e.s from jsonb_array_elements(seen) as e (s)
        where e.s ->> 'of' = w.incarnation::text limit 10) t)
    from unnest(names, incarnations) as w (name, incarnation);
end
$body$;
