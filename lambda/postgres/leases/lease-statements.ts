import type { LeaseRef } from "../../../core/leases/ports.ts";
import type { Instant } from "../../../core/time.ts";
import { integer, literal, type Sql, sql } from "../connection/sql.ts";
import { asIssuer, CLOCK, OUTCOME, outcome, ROW } from "./statement-parts.ts";

/**
 * Move VALID UNTIL. COMMENT ON the lease, with what it says already, is a lock that latches take
 * too; what was read before it is read again, and if that has changed all is undone and tried anew.
 */
export function extend(lease: LeaseRef, ttlSeconds: number, until: Instant): Sql {
  const role = literal(lease.username);
  return sql`${asIssuer(lease)};
do $mf$
declare r record; said text; t timestamptz := pg_catalog.clock_timestamp(); ends timestamptz;
begin
  select oid, rolcanlogin, rolvaliduntil into r from pg_catalog.pg_roles where rolname = ${role};
  if not found or r.oid <> ${integer(lease.oid)} then
    ${outcome(literal("not found"))};
    return;
  end if;
  if not r.rolcanlogin then
    ${outcome(literal("revoked"))};
    return;
  end if;
  if r.rolvaliduntil <= t then
    ${outcome(literal("expired"))};
    return;
  end if;
  said := pg_catalog.shobj_description(r.oid, 'pg_authid');
  execute pg_catalog.format('comment on role %I is %L', ${role}, said);
  t := pg_catalog.clock_timestamp();
  select rolcanlogin, rolvaliduntil into r from pg_catalog.pg_roles where rolname = ${role};
  if not found or not r.rolcanlogin or r.rolvaliduntil <= t then
    raise exception 'latched or expired meanwhile' using errcode = 'serialization_failure';
  end if;
  ends := least(pg_catalog.date_trunc('second', t) + pg_catalog.make_interval(secs => ${integer(ttlSeconds)}),
    pg_catalog.to_timestamp(${integer(until)} / 1000.0));
  execute pg_catalog.format('alter role %I valid until %L', ${role}, ends);
  select rolcanlogin into r from pg_catalog.pg_roles where rolname = ${role};
  if not r.rolcanlogin then -- a DBA's NOLOGIN, which takes no such lock
    raise exception 'latched meanwhile' using errcode = 'serialization_failure';
  end if;
  ${outcome(literal("extended"))};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK}, ${ROW}
  from (select 1) one left join pg_catalog.pg_roles r on r.rolname = ${role}`;
}

/** A role by name, or a row of nulls, and how many sessions it has. */
export const find = (username: string): Sql => sql`
select ${CLOCK}, ${ROW},
  (select pg_catalog.count(*)::int from pg_catalog.pg_stat_activity a where a.usesysid = r.oid) as sessions
  from (select 1) one left join pg_catalog.pg_roles r on r.rolname = ${literal(username)}`;

/** Roles named like leases of the stack: `mf_<tag>_` and a digit. */
export function page(tag: string, after: string, limit: number): Sql {
  const first = `mf_${tag}_0`;
  const start = after > first ? after : first;
  return sql`
select ${CLOCK}, ${ROW}
  from (select 1) one left join lateral (
    select * from pg_catalog.pg_roles
      where rolname > ${literal(start)} and rolname < ${literal(`mf_${tag}_:`)}
      order by rolname limit ${integer(limit)}) r on true
  order by r.rolname`;
}
