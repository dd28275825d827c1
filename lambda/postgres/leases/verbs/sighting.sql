-- The stack's own stamp, which says on which server its leases were made, and the timeline of the one
-- that answers. Neither can fail: a server that tells no timeline (a standby; Aurora, which was not
-- measured), or a stamp that cannot be read yet, must not keep a sweep from its work.
create or replace function sighting()
returns table (instance text, timeline int, line text)
language plpgsql as $body$
begin
  begin
    line := left(pg_walfile_name(pg_current_wal_lsn()), 8);
  exception when others then
    null;
  end;
  begin
    select s.instance, s.timeline into instance, timeline from mayfly.stack s
      where s.tag = split_part(session_user, '_', 2);
  exception when insufficient_privilege or invalid_schema_name or undefined_table or undefined_column then
    null;
  end;
  return next;
end
$body$;
