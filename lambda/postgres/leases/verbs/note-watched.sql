-- Notes what a sweep saw of the watched users, by server, and returns all notes. Each look is an
-- object with the server and its users, as the verb watched returned them. A look without users
-- means that the server could not be looked at, which is not the same as nobody there. An empty
-- list only reads the notes.
--
-- news is "first" if this sweep saw the user and none did before, "again" if the last time was a
-- day ago or longer. Servers come and go: of each user the notes of fifty servers are kept, and the
-- one where it was seen last.
create or replace function note_watched(swept jsonb)
returns table (
  username text, role text, since float8, news text, server text, looks int, looked float8,
  missed float8, seen float8, sessions int, applications text[]
) language plpgsql as $body$
#variable_conflict use_column
declare
  t constant timestamptz := clock_timestamp();
  before jsonb;
begin
  if jsonb_typeof(swept) is distinct from 'array' or jsonb_array_length(swept) > 100
      or length(swept::text) > 1000000 then
    raise exception 'mayfly: not the looks of a sweep' using errcode = 'MF006';
  end if;
  select coalesce(jsonb_object_agg(s.username, s.seen), '{}') into before
    from (select n.username, max(n.seen) as seen from seen n group by 1) s;
  if swept <> '[]' then
    insert into seen as n (username, server, looks, looked, missed, seen, sessions, applications)
      select distinct on (w.username, left(l ->> 'server', 300)) w.username, left(l ->> 'server', 300),
        case when u is null then 0 else 1 end, case when u is not null then t end,
        case when u is null then t end, case when (u ->> 'sessions')::int > 0 then t end,
        (u ->> 'sessions')::int,
        array(select left(a, 64) from jsonb_array_elements_text(u -> 'applications') a limit 5)
      from jsonb_array_elements(swept) l
      cross join watched w
      left join lateral (select x from jsonb_array_elements(l -> 'users') x
        where x ->> 'username' = w.username limit 1) as e (u) on true
      where l ->> 'server' <> '' and (u is not null or l -> 'users' is null)
      order by 1, 2
    on conflict (username, server) do update set (looks, looked, missed, seen, sessions, applications)
      = (n.looks + excluded.looks, coalesce(excluded.looked, n.looked),
        coalesce(excluded.missed, n.missed), coalesce(excluded.seen, n.seen),
        coalesce(excluded.sessions, n.sessions),
        case when excluded.seen is null then n.applications else excluded.applications end);
    delete from seen n using (
        select s.username, s.server, s.seen, max(s.seen) over (partition by s.username) as newest,
          row_number() over (partition by s.username order by greatest(s.looked, s.missed) desc) as nth
        from seen s) o
      where n.username = o.username and n.server = o.server and o.nth > 50
        and (o.seen is null or o.seen < o.newest);
  end if;
  return query
    select w.username::text,
      case when r.oid is null then 'absent' when r.rolcanlogin then 'open' else 'shut' end,
      ms.since,
      case when max(s.seen) over (partition by w.username) is distinct from t then null
        when before ->> w.username::text is null then 'first'
        when (before ->> w.username::text)::timestamptz <= t - interval '1 day' then 'again' end,
      s.server, s.looks, ms.looked, ms.missed, ms.seen, s.sessions, s.applications
    from watched w
    left join pg_roles r on r.rolname = w.username
    left join seen s on s.username = w.username
    cross join lateral (select floor(extract(epoch from w.since) * 1000)::float8,
      floor(extract(epoch from s.looked) * 1000)::float8, floor(extract(epoch from s.missed) * 1000)::float8,
      floor(extract(epoch from s.seen) * 1000)::float8) as ms (since, looked, missed, seen)
    order by w.username, s.server;
end
$body$;
