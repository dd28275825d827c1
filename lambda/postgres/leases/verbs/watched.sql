-- The watched users, and how many sessions each has on this server, with some of their
-- application names. Reads only, so it works on a reader too. Every role may see whose sessions
-- there are, where they are connected to and how they call themselves; nobody else's address or
-- statement. Workers of a parallel statement count as sessions: they cannot be told apart.
create or replace function watched()
returns table (username text, sessions int, applications text[])
language sql stable as $body$
  select w.username::text, count(a.pid)::int,
    coalesce((array_agg(distinct left(a.application_name, 64))
      filter (where a.application_name <> ''))[1:5], '{}')
  from watched w left join pg_stat_activity a on a.usename = w.username
  group by w.username order by w.username
$body$;
