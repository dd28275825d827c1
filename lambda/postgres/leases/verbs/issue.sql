-- Creates one lease, or finds the one that was already created with the same name or key.
--
-- Everything is checked twice: without the lock, so that a replay or a refusal writes nothing, and
-- under the lock, which decides. In between, CREATE ROLE runs without blocking others; most of its
-- time is the server's hashing. If the check under the lock finds a replay or a refusal, the CREATE
-- is rolled back. Limits count names, which a latched lease keeps until its DROP; an expired lease
-- that is not latched yet is not counted. Leases are counted only if the upper bound in the table
-- counted has reached the limit. Times are whole seconds, rounded down, like Scheduler's.
--
-- The arguments contain a verifier, and errors of CREATE ROLE quote it: so only the SQLSTATE of an
-- error is returned. No text contains a backslash, because its meaning depends on a session
-- setting.
create or replace function issue(
  username text, verifier text, ttl int, replay boolean, min_remaining int, pepper text
) returns table (
  outcome text, counted int, bound int, login text, incarnation text, issued float8, expires float8,
  max_expires float8, pepper_version text, dbname text, successor boolean
) language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  split constant boolean := current_setting('server_version_num')::int >= 160000;
  role_name constant text := split_part(username, '_', 3);
  consumer_name constant text := split_part(username, '_', 4);
  -- a role, a consumer and a key each have one range of names; ~ sorts after all of them
  of_role constant name := 'mf_' || tag || '_' || role_name || '_';
  of_consumer constant name := of_role || consumer_name || '_';
  of_key constant name := of_consumer || left(split_part(username, '_', 5), 8);
  d record;
  lease record;
  own oid := 0;
  grp oid;
  t timestamptz;
  starts timestamptz;
  ends timestamptz;
  holders int[];
  holding int[];
  of_consumer_most int;
  of_role_most int;
  recount_consumer boolean;
  recount_role boolean;
  renewing oid[];
  code text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'mayfly: issue needs read committed' using errcode = 'MF001';
  end if;
  if username is null or username !~ ('^mf_' || tag
      || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$') then
    raise exception 'mayfly: not the name of a lease of this shard' using errcode = 'MF002';
  end if;
  if verifier is null or length(verifier) > 200 or verifier !~
      '^SCRAM-SHA-256[$]4096:[A-Za-z0-9+/]{22}==[$][A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$' then
    raise exception 'mayfly: not a verifier' using errcode = 'MF003';
  end if;
  if pepper !~ '^[A-Za-z0-9-]{32,64}$' or replay is null or replay and pepper is null then
    raise exception 'mayfly: a replay needs the version of a pepper' using errcode = 'MF004';
  end if;
  begin
    for look in 1..2 loop
      if look = 2 then
        -- a repeated call waits here, not at the CREATE: the server may log waiting statements
        perform pg_advisory_xact_lock(hashtext(username));
        select r.oid, r.rolname, r.rolvaliduntil, shobj_description(r.oid, 'pg_authid') as said
          into lease from pg_roles r where r.rolname = username::name;
        if found then
          outcome := 'issued';
          exit;
        end if;
        starts := date_trunc('second', t);
        ends := starts + make_interval(secs => ttl);
        execute format('create role %I login nosuperuser nocreatedb nocreaterole inherit '
          || 'connection limit %s password %L valid until %L', username, d.connection_limit, verifier,
          to_char(ends at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
          || case when split then '' else format(' admin %I', current_user) end;
        select r.oid into own from pg_roles r where r.rolname = username::name;
        for try in 1..5 loop
          begin
            perform pg_advisory_xact_lock(hashtext('mayfly ' || tag), hashtext(role_name));
            exit;
          exception when lock_not_available then
            if try = 5 then
              raise;
            end if;
            holding := array(select l.pid from pg_locks l
              where l.granted and l.locktype = 'advisory' and l.objsubid = 2
                and l.database = (select b.oid from pg_database b where b.datname = current_database())
                and l.classid = (hashtext('mayfly ' || tag)::int8 & 4294967295)::oid
                and l.objid = (hashtext(role_name)::int8 & 4294967295)::oid);
            holders := case when try = 1 then holding
              else array(select h.pid from unnest(holders) as h (pid) where h.pid = any (holding)) end;
            -- a backend that held the lock during three complete waits is stuck
            if try = 4 and holders <> '{}' then
              perform end_holders(holders, role_name, null);
            end if;
          end;
        end loop;
      end if;
      t := clock_timestamp();
      select x.* into d from declared x where x.role = role_name and x.consumer = consumer_name;
      if not found then
        outcome := 'undeclared';
      elsif coalesce(ttl, d.ttl_seconds) not between 10 and d.max_ttl_seconds then
        outcome := 'ttl';
        bound := d.max_ttl_seconds;
      elsif min_remaining not between 0 and d.max_ttl_seconds / 2 then
        outcome := 'min remaining';
        bound := d.max_ttl_seconds / 2;
      else
        ttl := coalesce(ttl, d.ttl_seconds);
        dbname := d.dbname;
        successor := d.max_leases > 1 and d.max_leases_per_consumer > 1;
        -- the same name again: the answer was lost
        select r.oid, r.rolname, r.rolvaliduntil, shobj_description(r.oid, 'pg_authid') as said
          into lease from pg_roles r where look = 1 and r.rolname = username::name;
        if found then
          outcome := 'issued';
        elsif replay then
          select r.oid, r.rolname, r.rolvaliduntil, r.said into lease
            from (select x.*, shobj_description(x.oid, 'pg_authid') as said from pg_roles x
              where x.rolname >= of_key and x.rolname < (of_key || '~')::name
                and x.oid <> own and x.rolcanlogin
                and exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
                  where m.member = x.oid and g.rolname = d.group_role)
                and isfinite(x.rolvaliduntil) and x.rolvaliduntil > t + interval '5 seconds') r
            where r.said ~ '"v": ?1[,}]' and least(
                substring(r.said from '"max": ?([0-9]{1,15})')::float8,
                substring(r.said from '"issued": ?([0-9]{1,15})')::float8 + d.max_ttl_seconds * 1000::float8
              ) / 1000 >= extract(epoch from t) + coalesce(min_remaining, least(10, d.max_ttl_seconds / 2))
            order by substring(r.said from '"issued": ?([0-9]{1,15})')::int8 desc, r.rolname desc
            limit 1;
          if found then
            outcome := 'replayed';
          end if;
        end if;
        if outcome is null then
          of_consumer_most := (select k.at_most from counted k
            where k.role = role_name and k.consumer = consumer_name);
          renewing := null;
          recount_consumer := of_consumer_most is null or of_consumer_most >= d.max_leases_per_consumer;
          -- an uncommitted renewal holds its lease's lock: such a lease is not expired
          if recount_consumer then
            renewing := array(select l.objid from pg_locks l where l.locktype = 'object' and l.granted
              and l.classid = 'pg_authid'::regclass and l.pid is distinct from pg_backend_pid());
            select count(*) into of_consumer_most from (select from pg_roles r
              where r.rolname >= of_consumer and r.rolname < (of_consumer || '~')::name
                and r.oid <> own
                and not (r.rolcanlogin and r.rolvaliduntil <= t and r.oid <> all (renewing))
              limit d.max_leases_per_consumer + 1) c;
          end if;
          of_role_most := (select k.at_most from counted k
            where k.role = role_name and k.consumer = '');
          recount_role := of_role_most is null or of_role_most >= d.max_leases;
          if recount_role then
            renewing := coalesce(renewing, array(select l.objid from pg_locks l
              where l.locktype = 'object' and l.granted and l.classid = 'pg_authid'::regclass
                and l.pid is distinct from pg_backend_pid()));
            select count(*) into of_role_most from (select from pg_roles r
              where r.rolname >= of_role and r.rolname < (of_role || '~')::name
                and r.oid <> own
                and not (r.rolcanlogin and r.rolvaliduntil <= t and r.oid <> all (renewing))
              limit d.max_leases + 1) c;
          end if;
          if of_consumer_most >= d.max_leases_per_consumer then
            outcome := 'limit of consumer';
            counted := of_consumer_most;
            bound := d.max_leases_per_consumer;
          elsif of_role_most >= d.max_leases then
            outcome := 'limit of role';
            counted := of_role_most;
            bound := d.max_leases;
          end if;
        end if;
      end if;
      if outcome is not null then
        if look = 2 then -- undone, as if this call had never made its role
          raise exception 'mayfly: not made' using errcode = 'MF100';
        end if;
        exit;
      end if;
    end loop;
    if outcome is null then
      if t - starts > interval '2 seconds' then -- the lock was waited for
        starts := date_trunc('second', t);
        ends := starts + make_interval(secs => ttl);
        execute format('alter role %I valid until %L', username,
          to_char(ends at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
      end if;
      select r.oid into grp from pg_roles r where r.rolname = d.group_role;
      for try in 1..5 loop
        begin
          execute format('grant %I to %I', d.group_role, username)
            || case when split then ' with inherit true, set false' else '' end;
          exit;
        exception when lock_not_available then
          if try = 5 then
            raise;
          end if;
          -- from 16 on, GRANT and REVOKE lock the group until the commit
          holding := array(select l.pid from pg_locks l where l.granted and l.locktype = 'object'
            and l.database = 0 and l.classid = 'pg_authid'::regclass and l.objid = grp);
          holders := case when try = 1 then holding
            else array(select h.pid from unnest(holders) as h (pid) where h.pid = any (holding)) end;
          if try = 4 and holders <> '{}' then
            perform end_holders(holders, null, grp);
          end if;
        end;
      end loop;
      execute format('comment on role %I is %L', username, jsonb_strip_nulls(jsonb_build_object(
        'v', 1, 'pepper', pepper, 'issued', (extract(epoch from starts) * 1000)::int8,
        'max', (extract(epoch from starts) * 1000)::int8 + d.max_ttl_seconds * 1000::int8)));
      -- an expired lease counts again once it is latched: so a new bound counts all names,
      -- including this one
      if recount_consumer then
        select count(*) - 1 into of_consumer_most from pg_roles r
          where r.rolname >= of_consumer and r.rolname < (of_consumer || '~')::name;
      end if;
      if recount_role then
        select count(*) - 1 into of_role_most from pg_roles r
          where r.rolname >= of_role and r.rolname < (of_role || '~')::name;
      end if;
      insert into counted as k values
          (role_name, consumer_name, of_consumer_most + 1), (role_name, '', of_role_most + 1)
        on conflict (role, consumer) do update set at_most = excluded.at_most;
      outcome := 'issued';
      login := username;
      incarnation := own::text;
      expires := floor(extract(epoch from ends) * 1000);
      issued := floor(extract(epoch from starts) * 1000);
      max_expires := issued + d.max_ttl_seconds * 1000::float8;
      pepper_version := pepper;
    end if;
  exception
    when sqlstate 'MF100' then
      null;
    when others or query_canceled then
      get stacked diagnostics code = returned_sqlstate;
      raise exception 'mayfly: issue failed' using errcode = code;
  end;
  if login is null and outcome in ('issued', 'replayed') then
    login := lease.rolname;
    incarnation := lease.oid::text;
    expires := floor(extract(epoch from lease.rolvaliduntil) * 1000);
    issued := substring(lease.said from '"issued": ?([0-9]{1,15})')::float8;
    max_expires := least(substring(lease.said from '"max": ?([0-9]{1,15})')::float8,
      issued + d.max_ttl_seconds * 1000::float8);
    pepper_version := substring(lease.said from '"pepper": ?"([A-Za-z0-9-]{32,64})"');
  end if;
  return next;
end
$body$;
