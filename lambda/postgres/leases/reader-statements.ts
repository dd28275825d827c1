import { integer, literal, type Sql, sql } from "../connection/sql.ts";
import { awaitEnd } from "./revoke-statements.ts";
import { become, OUTCOME, outcome } from "./statement-parts.ts";

// A standby takes DO blocks, SET LOCAL and pg_terminate_backend, and refuses all that writes (25006).

/**
 * Read what has arrived of a role, and then tell its sessions to end: the other way round, one could
 * come in between. `latched` is the latch itself, not a DBA's NOLOGIN: it arrives with the memberships
 * that it revoked. A server that is no standby and has no latch may be of another cluster, where the
 * OID is somebody else's: nothing is ended there.
 */
export const look = (roleOid: number, username: string): Sql => sql`
${become("pg_signal_backend")};
do $mf$
declare
  r record; seen text; told int[] := '{}'; remaining int := 0;
  replays bool := pg_catalog.pg_is_in_recovery();
begin
  select rolname, rolcanlogin, rolvaliduntil into r from pg_catalog.pg_roles
    where oid = ${integer(roleOid)};
  seen := case when not found or r.rolname <> ${literal(username)} then 'absent'
    when not r.rolcanlogin and r.rolvaliduntil = '-infinity' then 'latched' else 'open' end;
  if (replays or seen = 'latched') and (r.rolname is null or r.rolname = ${literal(username)}) then
    select coalesce(pg_catalog.array_agg(a.pid), '{}') into told from pg_catalog.pg_stat_activity a
      where a.usesysid = ${integer(roleOid)} and a.pid <> pg_catalog.pg_backend_pid();
    perform pg_catalog.pg_terminate_backend(pid) from pg_catalog.unnest(told) pid;
    ${awaitEnd(roleOid)}
  end if;
  ${outcome(sql`pg_catalog.concat_ws(' ', seen, replays,
    pg_catalog.cardinality(told) - remaining, remaining)`)};
end $mf$;
select pg_catalog.split_part(${OUTCOME}, ' ', 1) as role,
  pg_catalog.split_part(${OUTCOME}, ' ', 2) = 't' as replays,
  pg_catalog.split_part(${OUTCOME}, ' ', 3)::int as ended,
  pg_catalog.split_part(${OUTCOME}, ' ', 4)::int as remaining`;

/** How many sessions an OID has. */
export const countSessions = (roleOid: number): Sql => sql`
select pg_catalog.count(*)::int as sessions from pg_catalog.pg_stat_activity a
  where a.usesysid = ${integer(roleOid)}`;
