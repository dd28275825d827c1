-- Latches leases: removes LOGIN, the password and the memberships in both directions, and sets an
-- expiry in the past.
--
-- Each lease is latched in its own subtransaction, all before any membership is revoked, so that a
-- latch does not depend on the rest. Then one REVOKE per group for all leases, and single REVOKEs
-- for the remaining memberships; failures are counted. Without this, members of a lease would keep
-- its privileges; a session loses the group's privileges at once. The issuer role keeps its ADMIN
-- OPTION, because the DROP needs it.
--
-- COMMENT comes first: renewals take the same lock. A session of the lease may lock its row (ALTER
-- ROLE CURRENT_USER PASSWORD, not committed): then the outcome is 55P03 after the wrapper's 50 ms.
-- With end_first, its sessions are ended right before each of several attempts.
--
-- The server shows the address and start of a session to members of pg_read_all_stats, which not
-- every administrator may grant, and to members of the session's role. So the role that ends
-- sessions becomes a member of the lease, which has no privileges left; the DROP removes that
-- membership.
create or replace function latch(
  names text[], incarnations oid[], only_if_due boolean, end_first boolean
) returns table (
  username text, outcome text, why text, was_open boolean, at float8, expires float8,
  issued float8, max_expires float8, latched float8, unverified float8, ended int, memberships int
) language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  split constant boolean := current_setting('server_version_num')::int >= 160000;
  mine constant oid := (select x.oid from pg_roles x where x.rolname = current_user);
  ender constant name := 'mf_' || tag || '_ender';
  outcomes text[] := '{}';
  reasons text[] := '{}';
  opens boolean[] := '{}';
  ends int[] := '{}';
  done oid[] := '{}';
  r record;
  m record;
  t timestamptz;
  said jsonb;
  record text;
  result text;
  reason text;
  signalled int;
  until timestamptz;
  holders int[];
  holding int[];
begin
  if names is null or incarnations is null or only_if_due is null or end_first is null
      or array_ndims(names) > 1 or array_ndims(incarnations) > 1 or cardinality(names) > 250
      or cardinality(names) <> cardinality(incarnations) then
    raise exception 'mayfly: two lists of the same length, of 250 at most' using errcode = 'MF005';
  end if;
  for i in 1..cardinality(names) loop
    signalled := 0;
    reason := null;
    r := null;
    begin
      t := clock_timestamp();
      select x.oid, x.rolcanlogin, x.rolvaliduntil,
          x.rolsuper or x.rolcreaterole or x.rolcreatedb or x.rolreplication or x.rolbypassrls as power,
          shobj_description(x.oid, 'pg_authid') as said,
          exists (select from pg_auth_members a
            where a.roleid = x.oid and a.member = mine and a.admin_option) as held,
          exists (select from pg_auth_members a join pg_roles g on g.oid = a.roleid
            where a.member = x.oid
              and g.rolname = ('mf_' || tag || '_group_' || split_part(names[i], '_', 3))::name) as grouped
        into r from pg_roles x where x.rolname = names[i]::name;
      result := case when r.oid is null then 'gone'
        when r.oid is distinct from incarnations[i] then 'other' end;
      if result is null then
        reason := case
          when names[i] !~ ('^mf_' || tag
              || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$')
            then 'its name is not a lease''s of this shard'
          when r.power then 'it has a privileged attribute'
          when not r.held and not (current_setting('server_version_num')::int < 150000
                and coalesce(r.said, '') ~ '"v": ?1[,}]' and coalesce(r.said, '') ~ '"max": ?[0-9]{1,15}[,}]')
            then 'the issuer role in its name does not hold it with ADMIN OPTION'
          when r.rolcanlogin and not r.grouped then 'it can log in but is not in the group of its dynamic role' end;
        if reason is not null then
          result := 'foreign';
        -- an infinite expiry does not count: the lease is due, whoever set it
        elsif only_if_due and r.rolcanlogin and isfinite(r.rolvaliduntil) and r.rolvaliduntil > t then
          result := 'not due';
        elsif r.rolcanlogin or r.rolvaliduntil is distinct from '-infinity' then
          record := case when r.said ~ '"v": ?1[,}]' then r.said end;
          said := jsonb_strip_nulls(jsonb_build_object('v', 1,
            'pepper', substring(record from '"pepper": ?"([A-Za-z0-9-]{32,64})"'),
            'issued', substring(record from '"issued": ?([0-9]{1,15})')::int8,
            'max', substring(record from '"max": ?([0-9]{1,15})')::int8));
          for try in 1..41 loop
            begin
              execute format('comment on role %I is %L', names[i], said);
              exit;
            exception when lock_not_available then
              if try = 41 or not end_first then
                raise;
              end if;
              -- a backend that held the lock for two complete seconds is stuck
              holding := array(select l.pid from pg_locks l where l.granted and l.locktype = 'object'
                and l.database = 0 and l.classid = 'pg_authid'::regclass and l.objid = incarnations[i]);
              holders := case when try = 1 then holding
                else array(select h.pid from unnest(holders) as h (pid) where h.pid = any (holding)) end;
              if try = 40 and holders <> '{}' then
                perform end_holders(holders, null, incarnations[i]);
              end if;
            end;
          end loop;
          t := clock_timestamp();
          select x.oid, x.rolcanlogin, x.rolvaliduntil into m from pg_roles x
            where x.rolname = names[i]::name;
          if only_if_due and m.rolcanlogin and isfinite(m.rolvaliduntil) and m.rolvaliduntil > t then
            raise exception 'mayfly: renewed meanwhile' using errcode = 'MF101';
          end if;
          said := said || jsonb_strip_nulls(jsonb_build_object(
            'latched', floor(extract(epoch from t) * 1000)::int8,
            'expired', case when isfinite(m.rolvaliduntil)
              then floor(extract(epoch from m.rolvaliduntil) * 1000)::int8 end));
          execute format('comment on role %I is %L', names[i], said);
          until := clock_timestamp() + interval '1 second';
          for try in 1..30 loop
            begin
              if end_first then
                select signalled + e.ended into signalled
                  from end_sessions_of(array[names[i]], array[incarnations[i]]) e;
              end if;
              execute format('alter role %I nologin password null connection limit 0 '
                || 'valid until ''-infinity''', names[i]);
              exit;
            exception when lock_not_available then
              if try = 30 or not end_first or clock_timestamp() > until then
                raise;
              end if;
            end;
          end loop;
          result := 'latched';
        else
          result := 'latched';
        end if;
      end if;
    exception
      when sqlstate 'MF101' then
        result := 'not due';
      when others then
        get stacked diagnostics result = returned_sqlstate;
    end;
    if result = 'latched' then
      done := done || incarnations[i];
    end if;
    outcomes := outcomes || result;
    reasons := reasons || coalesce(reason, '');
    opens := opens || (result = 'latched' and coalesce(r.rolcanlogin, false));
    ends := ends || signalled;
  end loop;
  for m in select g.rolname as granted, string_agg(quote_ident(u.rolname), ', ') as members
      from pg_auth_members a join pg_roles g on g.oid = a.roleid join pg_roles u on u.oid = a.member
      where a.member = any (done) and (not split or a.grantor = mine)
      group by 1 loop
    begin
      execute format('revoke %I from ', m.granted) || m.members;
    exception when others then
      null; -- tried again below, one by one
    end;
  end loop;
  for m in select g.rolname as granted, u.rolname as member, b.rolname as grantor
      from pg_auth_members a join pg_roles g on g.oid = a.roleid join pg_roles u on u.oid = a.member
      left join pg_roles b on b.oid = a.grantor
      where (a.member = any (done) or a.roleid = any (done))
        and not (a.member = mine and a.roleid = any (done)) loop
    begin
      continue when m.member = ender;
      execute format('revoke %I from %I', m.granted, m.member)
        || case when split and m.grantor is not null then format(' granted by %I', m.grantor) else '' end;
    exception when others then
      null; -- counted below
    end;
  end loop;
  if split and not pg_has_role(ender, 'pg_read_all_stats', 'usage') then
    for m in select distinct x.rolname as lease from pg_stat_activity a join pg_roles x on x.oid = a.usesysid
        where a.usesysid = any (done) loop
      begin
        execute format('grant %I to %I with inherit true, set false', m.lease, ender);
      exception when others then
        null; -- the sessions are ended all the same, and less is said of them
      end;
    end loop;
  end if;
  for i in 1..cardinality(names) loop
    username := names[i];
    outcome := outcomes[i];
    why := nullif(reasons[i], '');
    was_open := opens[i];
    ended := ends[i];
    select x.rolcanlogin, x.rolvaliduntil, shobj_description(x.oid, 'pg_authid') as said into r
      from pg_roles x where x.rolname = names[i]::name and x.oid = incarnations[i];
    at := floor(extract(epoch from clock_timestamp()) * 1000);
    issued := substring(r.said from '"issued": ?([0-9]{1,15})')::float8;
    max_expires := substring(r.said from '"max": ?([0-9]{1,15})')::float8;
    latched := substring(r.said from '"latched": ?([0-9]{1,15})')::float8;
    unverified := substring(r.said from '"unverified": ?([0-9]{1,15})')::float8;
    expires := coalesce(substring(r.said from '"expired": ?([0-9]{1,15})')::float8,
      case when isfinite(r.rolvaliduntil) then floor(extract(epoch from r.rolvaliduntil) * 1000) end);
    select count(*) into memberships from pg_auth_members a
      where incarnations[i] in (a.member, a.roleid) and outcomes[i] = 'latched'
        and not (a.roleid = incarnations[i]
          and a.member in (mine, (select e.oid from pg_roles e where e.rolname = ender)));
    return next;
  end loop;
end
$body$;
