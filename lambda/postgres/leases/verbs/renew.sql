-- Moves a lease's VALID UNTIL to ttl seconds from now, within the limits of its record and the
-- declaration. A latched lease is not changed. COMMENT ON the lease, with its present text, takes
-- the lock that latches take too; everything is read again under that lock.
create or replace function renew(username text, incarnation oid, ttl int)
returns table (outcome text, bound int, issued float8, expires float8, max_expires float8)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  d record;
  r record;
  record text;
  t timestamptz;
  most timestamptz;
begin
  if username is null or username !~ ('^mf_' || tag
      || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$') then
    raise exception 'mayfly: not the name of a lease of this shard' using errcode = 'MF002';
  end if;
  select x.* into d from declared x
    where x.role = split_part(username, '_', 3) and x.consumer = split_part(username, '_', 4);
  if not found then
    outcome := 'undeclared';
    return next;
    return;
  end if;
  ttl := coalesce(ttl, d.ttl_seconds);
  if ttl not between 10 and d.max_ttl_seconds then
    outcome := 'ttl';
    bound := d.max_ttl_seconds;
    return next;
    return;
  end if;
  for look in 1..2 loop
    t := clock_timestamp();
    select x.oid, x.rolcanlogin, x.rolvaliduntil, shobj_description(x.oid, 'pg_authid') as said
      into r from pg_roles x where x.rolname = username::name;
    record := case when r.said ~ '"v": ?1[,}]' then r.said end;
    issued := substring(record from '"issued": ?([0-9]{1,15})')::float8;
    max_expires := substring(record from '"max": ?([0-9]{1,15})')::float8;
    outcome := case when r.oid is null or r.oid is distinct from renew.incarnation then 'not found'
      when not r.rolcanlogin then 'revoked'
      when r.rolvaliduntil <= t then 'expired' end;
    if outcome is not null then
      if look = 1 then
        return next;
        return;
      end if;
      raise exception 'mayfly: latched or expired meanwhile' using errcode = 'serialization_failure';
    end if;
    if look = 1 then
      execute format('comment on role %I is %L', username, coalesce(r.said, ''));
    end if;
  end loop;
  -- the record is evidence, not proof: the declaration limits it, and without a declaration nothing
  -- is renewed
  max_expires := coalesce(least(max_expires, issued + d.max_ttl_seconds * 1000::float8),
    floor(extract(epoch from r.rolvaliduntil) * 1000));
  most := to_timestamp(max_expires / 1000);
  if most <= t then -- the maximum was lowered since: "renewed" must not mean cut off
    outcome := 'expired';
    return next;
    return;
  end if;
  execute format('alter role %I valid until %L', username, to_char(
    least(date_trunc('second', t) + make_interval(secs => ttl), most) at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
  select x.rolcanlogin, x.rolvaliduntil into r from pg_roles x where x.rolname = username::name;
  if not r.rolcanlogin then -- a DBA's NOLOGIN, which takes no such lock
    raise exception 'mayfly: latched meanwhile' using errcode = 'serialization_failure';
  end if;
  outcome := 'extended';
  expires := floor(extract(epoch from r.rolvaliduntil) * 1000);
  return next;
end
$body$;
