-- The stack's own stamp, with the server on which its leases were created, and the timeline of this
-- server. Neither can fail: a server that does not tell its timeline (a standby; Aurora was not
-- measured), or a stamp that cannot be read yet, must not stop a sweep.
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
