-- Ends the sessions of leases on this server, latched or not, and of dropped roles. On a reader,
-- the state of a role is read before its sessions are ended; otherwise a session could begin in
-- between. "latched" means the latch itself, not a DBA's NOLOGIN: the latch is replicated together
-- with the revoked memberships. A server that is not a replica and does not have the latch may
-- belong to another cluster, where the OID is somebody else's: as a reader it ends nothing.
create or replace function end_sessions(names text[], incarnations oid[], reader boolean)
returns table (username text, state text, replays boolean, ended int, remaining int, who jsonb)
language plpgsql as $body$
declare
  recovering constant boolean := pg_is_in_recovery();
  states text[];
  role_names text[];
  role_oids oid[];
begin
  if names is null or incarnations is null or reader is null
      or array_ndims(names) > 1 or array_ndims(incarnations) > 1 or cardinality(names) > 250
      or cardinality(names) <> cardinality(incarnations) then
    raise exception 'mayfly: two lists of the same length, of 250 at most' using errcode = 'MF005';
  end if;
  states := array(select case when r.oid is null or r.rolname <> w.name then 'absent'
      when not r.rolcanlogin and r.rolvaliduntil = '-infinity' then 'latched' else 'open' end
    from unnest(names, incarnations) with ordinality as w (name, incarnation, nth)
    left join pg_roles r on r.oid = w.incarnation order by w.nth);
  select coalesce(array_agg(w.name), '{}'), coalesce(array_agg(w.incarnation), '{}')
    into role_names, role_oids
    from unnest(names, incarnations, states) as w (name, incarnation, state)
    where not reader or recovering or w.state = 'latched';
  return query
    select w.name, w.state, recovering, coalesce(e.ended, 0), coalesce(e.remaining, 0), e.who
    from unnest(names, incarnations, states) with ordinality as w (name, incarnation, state, nth)
    left join end_sessions_of(role_names, role_oids) e
      on e.name = w.name and e.incarnation = w.incarnation
    order by w.nth;
end
$body$;
