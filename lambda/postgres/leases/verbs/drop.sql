-- Drops latched leases, each in its own subtransaction. Each is checked again: a role that can log
-- in is never dropped, nor one with a prepared transaction, whose locks would outlive it. An
-- outcome of five characters is the SQLSTATE of the failed DROP: 2BP01 if something depends on the
-- role.
create or replace function drop_leases(names text[], incarnations oid[])
returns table (username text, outcome text, at float8)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  r record;
begin
  if names is null or incarnations is null
      or array_ndims(names) > 1 or array_ndims(incarnations) > 1 or cardinality(names) > 250
      or cardinality(names) <> cardinality(incarnations) then
    raise exception 'mayfly: two lists of the same length, of 250 at most' using errcode = 'MF005';
  end if;
  for i in 1..cardinality(names) loop
    username := names[i];
    begin
      select x.oid, x.rolcanlogin into r from pg_roles x where x.rolname = names[i]::name;
      outcome := case when r.oid is null or r.oid is distinct from incarnations[i] then 'gone'
        when names[i] !~ ('^mf_' || tag
            || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$')
          then 'foreign'
        when r.rolcanlogin then 'live'
        when current_setting('max_prepared_transactions') <> '0'
            and exists (select from pg_prepared_xacts p where p.owner = names[i]::name)
          then 'prepared' end;
      if outcome is null then
        execute format('drop role %I', names[i]);
        outcome := 'dropped';
      end if;
    exception when others then
      get stacked diagnostics outcome = returned_sqlstate;
    end;
    at := floor(extract(epoch from clock_timestamp()) * 1000);
    return next;
  end loop;
end
$body$;
