import { openRecord } from "../../../core/leases/lease.ts";
import type { LatchOptions, LeaseRef } from "../../../core/leases/ports.ts";
import { issuerRoleName } from "../../../core/names.ts";
import { integer, literal, type Sql, sql } from "../connection/sql.ts";
import { asIssuer, become, CLOCK, ms, OUTCOME, outcome } from "./statement-parts.ts";

/** How often a session that was told to end is looked for again. Unit: seconds. */
const LOOK_AGAIN = sql`0.01`;
const LOOKS = 25;

/** Wait up to 250 ms until none of the sessions in `told` is left; `remaining` says how many are. */
export const awaitEnd = (roleOid: number): Sql => sql`
  for look in 0..${integer(LOOKS)} loop
    exit when told = '{}';
    perform pg_catalog.pg_stat_clear_snapshot();
    select pg_catalog.count(*) into remaining from pg_catalog.pg_stat_activity a
      where a.usesysid = ${integer(roleOid)} and a.pid = any (told);
    exit when remaining = 0;
    perform pg_catalog.pg_sleep(${LOOK_AGAIN});
  end loop;`;

/** How often a row is tried for that the lease's new sessions take again and again. */
const TRIES = 30;

/**
 * Take away login, password and every membership in both directions: a member of the lease would
 * keep its rights, and a session loses the group's at once. The issuer role's own ADMIN OPTION
 * stays: it is what the DROP needs. COMMENT comes first: it is the lock that renewals take too.
 *
 * Which sessions to end is always looked up first and told second: within one WHERE, the server may
 * call the function that ends a session before it has compared whose that is.
 *
 * With `endSessions` the lease's sessions are told to end right before the ALTER, again and again: one
 * that comes in between and takes the row first is waited for 50 ms only, and ended with the next.
 */
export function latch(lease: LeaseRef, { onlyIfDue, endSessions, record }: LatchOptions): Sql {
  const role = literal(lease.username);
  const shard = literal(issuerRoleName(lease.name.tag, lease.name.shard));
  // An expiry at infinity is no expiry: whoever set it, the lease is due.
  const notDue = onlyIfDue
    ? sql`r.rolcanlogin and r.rolvaliduntil > t and pg_catalog.isfinite(r.rolvaliduntil)`
    : sql`false`;
  const shut = sql`execute pg_catalog.format(
      'alter role %I nologin password null connection limit 0 valid until ''-infinity''', ${role});`;
  const clearAndShut = sql`perform pg_catalog.set_config('lock_timeout', '50ms', true);
    for try in 1..${integer(TRIES)} loop
      begin
        perform pg_catalog.set_config('role', 'pg_signal_backend', true);
        perform pg_catalog.pg_stat_clear_snapshot();
        more := array(select a.pid from pg_catalog.pg_stat_activity a
          where a.usesysid = r.oid and a.pid <> all (told));
        perform pg_catalog.pg_terminate_backend(pid) from pg_catalog.unnest(more) pid;
        told := told || more;
        perform pg_catalog.set_config('role', ${shard}, true);
        ${shut}
        exit;
      exception when lock_not_available then
        if try = ${integer(TRIES)} then raise; end if;
      end;
    end loop;
    perform pg_catalog.set_config('lock_timeout', '1s', true);
    ${awaitEnd(lease.oid)}`;
  return sql`${asIssuer(lease)}; set local lock_timeout = '1s';
do $mf$
declare
  r record; m record; t timestamptz := pg_catalog.clock_timestamp(); shard oid;
  told int[] := '{}'; more int[]; remaining int := 0;
  by_grantor bool := pg_catalog.current_setting('server_version_num')::int >= 160000;
begin
  select oid, rolcanlogin, rolvaliduntil into r from pg_catalog.pg_roles where rolname = ${role};
  if not found or r.oid <> ${integer(lease.oid)} then
    ${outcome(literal("gone"))};
    return;
  end if;
  if ${notDue} then
    ${outcome(literal("not due"))};
    return;
  end if;
  if r.rolcanlogin or r.rolvaliduntil is distinct from '-infinity' then
    execute pg_catalog.format('comment on role %I is %L', ${role},
      ${literal(openRecord(record))} || ',"latched":' || ${ms(sql`t`)} || '}');
    select oid, rolcanlogin, rolvaliduntil into r from pg_catalog.pg_roles where rolname = ${role};
    if ${notDue} then
      raise exception 'renewed meanwhile' using errcode = 'serialization_failure';
    end if;
    ${endSessions ? clearAndShut : shut}
  end if;
  select oid into shard from pg_catalog.pg_roles where rolname = ${shard};
  for m in select g.rolname as granted, u.rolname as member, b.rolname as grantor
      from pg_catalog.pg_auth_members a
      join pg_catalog.pg_roles g on g.oid = a.roleid
      join pg_catalog.pg_roles u on u.oid = a.member
      left join pg_catalog.pg_roles b on b.oid = a.grantor
      where r.oid in (a.member, a.roleid) and not (a.roleid = r.oid and a.member = shard) loop
    begin
      execute pg_catalog.format('revoke %I from %I', m.granted, m.member)
        || case when by_grantor and m.grantor is not null
             then pg_catalog.format(' granted by %I', m.grantor) else '' end;
    exception when insufficient_privilege or dependent_objects_still_exist then
      null; -- reported below; the role itself is latched all the same
    end;
  end loop;
  ${outcome(sql`'latched ' || pg_catalog.cardinality(told) - remaining`)};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK},
  (select pg_catalog.count(*)::int from pg_catalog.pg_auth_members a
    where ${integer(lease.oid)} in (a.member, a.roleid)
      and not (a.roleid = ${integer(lease.oid)}
        and a.member = (select oid from pg_catalog.pg_roles where rolname = ${shard}))) as memberships`;
}

/**
 * End the sessions of an OID: tell all of them first, then wait up to 250 ms until none of these is
 * left. (`pg_terminate_backend` with a timeout would wait 100 ms for each, one after the other.) A
 * role that has the OID but another name is somebody else's: OIDs are handed out again.
 */
export const endSessions = (roleOid: number, username: string): Sql => sql`
${become("pg_signal_backend")};
do $mf$
declare told int[]; remaining int := 0;
begin
  select coalesce(pg_catalog.array_agg(a.pid), '{}') into told from pg_catalog.pg_stat_activity a
    where a.usesysid = ${integer(roleOid)} and a.pid <> pg_catalog.pg_backend_pid()
      and not exists (select from pg_catalog.pg_roles r
        where r.oid = ${integer(roleOid)} and r.rolname <> ${literal(username)});
  perform pg_catalog.pg_terminate_backend(pid) from pg_catalog.unnest(told) pid;
  ${awaitEnd(roleOid)}
  ${outcome(sql`pg_catalog.cardinality(told) - remaining || ' ' || remaining`)};
end $mf$;
select pg_catalog.split_part(${OUTCOME}, ' ', 1)::int as ended,
  pg_catalog.split_part(${OUTCOME}, ' ', 2)::int as remaining`;

/** Write the record of a role that is latched; any other is left alone. */
export function annotate(lease: LeaseRef, record: LatchOptions["record"]): Sql {
  const role = literal(lease.username);
  return sql`${asIssuer(lease)};
do $mf$
begin
  if exists (select from pg_catalog.pg_roles
      where rolname = ${role} and oid = ${integer(lease.oid)} and not rolcanlogin) then
    execute pg_catalog.format('comment on role %I is %L', ${role},
      ${literal(`${openRecord(record)}}`)}::text);
  end if;
end $mf$`;
}

/** Drop a role that is latched. It is checked again: nothing that can log in is ever dropped. */
export function drop(lease: LeaseRef): Sql {
  const role = literal(lease.username);
  return sql`${asIssuer(lease)};
do $mf$
begin
  if not exists (select from pg_catalog.pg_roles
      where rolname = ${role} and oid = ${integer(lease.oid)} and not rolcanlogin) then
    ${outcome(literal("gone"))};
    return;
  end if;
  execute pg_catalog.format('drop role %I', ${role});
  ${outcome(literal("dropped"))};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK}`;
}

/** What keeps a role from being dropped, by database, catalog and kind (pg_shdepend.deptype). */
export const blockers = (lease: LeaseRef): Sql => sql`
select coalesce(d.datname::text, 'cluster') as database, s.classid::pg_catalog.regclass::text as catalog,
    case s.deptype when 'o' then 'owner' when 'a' then 'privilege' when 'i' then 'privilege'
      when 'r' then 'policy' else s.deptype::text end as kind,
    pg_catalog.count(*)::int as count
  from pg_catalog.pg_shdepend s left join pg_catalog.pg_database d on d.oid = s.dbid
  where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.refobjid = ${integer(lease.oid)}
    and s.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass
  group by 1, 2, 3
union all
select 'cluster', 'pg_auth_members', 'membership', pg_catalog.count(*)::int
  from pg_catalog.pg_auth_members where grantor = ${integer(lease.oid)} having pg_catalog.count(*) > 0
order by 1, 2, 3`;

/** OIDs of sessions whose role is gone. */
export const sessionsWithoutRole: Sql = sql`
select a.usesysid::pg_catalog.int8::pg_catalog.float8 as oid from pg_catalog.pg_stat_activity a
  where a.usesysid is not null
    and not exists (select from pg_catalog.pg_roles r where r.oid = a.usesysid)`;
