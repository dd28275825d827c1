-- Records in a latched lease's record since when a reader could not be checked, or, with null, that
-- all were checked. A lease that is not latched is left unchanged.
create or replace function annotate(username text, incarnation oid, unverified float8)
returns table (outcome text)
language plpgsql as $body$
declare
  tag constant text := split_part(current_user, '_', 2);
  shard constant text := split_part(current_user, '_', 4);
  said text;
begin
  select shobj_description(r.oid, 'pg_authid') into said from pg_roles r
    where r.rolname = annotate.username::name and r.oid = annotate.incarnation and not r.rolcanlogin
      and annotate.username ~ ('^mf_' || tag
        || '_[a-z][a-z0-9-]{0,13}_[a-z][a-z0-9-]{0,15}_([a-z2-7]{8}|0{8})' || shard || '[a-z2-7]{12}$');
  outcome := case when found then 'annotated' else 'left alone' end;
  if found then
    execute format('comment on role %I is %L', annotate.username,
      jsonb_strip_nulls(jsonb_build_object('v', 1,
        'pepper', substring(said from '"pepper": ?"([A-Za-z0-9-]{32,64})"'),
        'issued', substring(said from '"issued": ?([0-9]{1,15})')::int8,
        'max', substring(said from '"max": ?([0-9]{1,15})')::int8,
        'latched', substring(said from '"latched": ?([0-9]{1,15})')::int8,
        'expired', substring(said from '"expired": ?([0-9]{1,15})')::int8,
        'unverified', floor(annotate.unverified)::int8)));
  end if;
  return next;
end
$body$;
