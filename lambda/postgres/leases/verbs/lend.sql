-- Makes the janitor, and nobody else, a member of latched leases without sessions, so that it can
-- remove what they own; or takes that back. A latch takes it back too.
create or replace function lend(names text[], incarnations oid[], give boolean)
returns table (username text, outcome text)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  split constant boolean := current_setting('server_version_num')::int >= 160000;
  janitor constant text := 'mf_' || tag || '_janitor';
  r record;
begin
  if names is null or incarnations is null or give is null
      or array_ndims(names) > 1 or array_ndims(incarnations) > 1 or cardinality(names) > 250
      or cardinality(names) <> cardinality(incarnations) then
    raise exception 'mayfly: two lists of the same length, of 250 at most' using errcode = 'MF005';
  end if;
  for i in 1..cardinality(names) loop
    username := names[i];
    begin
      select x.oid, x.rolcanlogin, x.rolvaliduntil into r from pg_roles x
        where x.rolname = names[i]::name;
      outcome := case when r.oid is null or r.oid is distinct from incarnations[i] then 'gone'
        when names[i] !~ ('^mf_' || tag
            || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$')
          then 'foreign'
        when r.rolcanlogin or r.rolvaliduntil is distinct from '-infinity' then 'live'
        when give and exists (select from pg_stat_activity a where a.usesysid = r.oid) then 'in use' end;
      if outcome is null then
        if give then
          execute format('grant %I to %I', names[i], janitor)
            || case when split then ' with inherit false, set true' else '' end;
        elsif exists (select from pg_auth_members a join pg_roles j on j.oid = a.member
            where a.roleid = r.oid and j.rolname = janitor::name) then
          execute format('revoke %I from %I', names[i], janitor);
        end if;
        outcome := case when give then 'lent' else 'taken back' end;
      end if;
    exception when others then
      get stacked diagnostics outcome = returned_sqlstate;
    end;
    return next;
  end loop;
end
$body$;
