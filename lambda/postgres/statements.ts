import { openRecord } from "../../core/lease.ts";
import { formatLeaseName, namePrefix } from "../../core/lease-name.ts";
import { issuerRoleName } from "../../core/names.ts";
import type { IssueOrder, LatchOptions, LeaseRef } from "../../core/ports.ts";
import type { Instant } from "../../core/time.ts";
import { ident, integer, joined, literal, type Sql, sql } from "./sql.ts";

// Each function is one simple query: one round trip, one implicit transaction (PostgreSQL 53.2.2.1).
// Outcomes leave a DO block through the setting `mayfly.outcome`, not as errors: the server logs
// the whole text of a statement that fails, and the issue statement holds a verifier.

/** A replayed lease must live at least this much longer. Unit: seconds. */
export const MIN_REPLAY_SECONDS = 5;

const LOCK_TIMEOUT = sql`set local lock_timeout = '2s'`;

const become = (role: string): Sql => sql`set local role ${ident(role)}; ${LOCK_TIMEOUT}`;

const asIssuer = ({ name }: Pick<LeaseRef, "name">): Sql =>
  become(issuerRoleName(name.tag, name.shard));

/** Milliseconds since the epoch. */
const ms = (time: Sql): Sql =>
  sql`pg_catalog.floor(extract(epoch from ${time}) * 1000)::pg_catalog.int8`;

const CLOCK = sql`${ms(sql`pg_catalog.clock_timestamp()`)}::pg_catalog.float8 as now`;

/** The columns of a RoleRow, of `pg_roles r`. */
const ROW = sql`
  r.oid::pg_catalog.int8::pg_catalog.float8 as oid,
  r.rolname::pg_catalog.text as username,
  r.rolcanlogin as "canLogin",
  case when pg_catalog.isfinite(r.rolvaliduntil)
    then ${ms(sql`r.rolvaliduntil`)}::pg_catalog.float8 end as "validUntil",
  (r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls) as privileged,
  array(select g.rolname::pg_catalog.text from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid where m.member = r.oid) as "memberOf",
  array(select a.rolname::pg_catalog.text from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles a on a.oid = m.member where m.roleid = r.oid and m.admin_option) as admins,
  pg_catalog.left(pg_catalog.shobj_description(r.oid, 'pg_authid'), 1001) as comment`;

const OUTCOME = sql`pg_catalog.current_setting('mayfly.outcome')`;

const outcome = (value: Sql): Sql =>
  sql`perform pg_catalog.set_config('mayfly.outcome', ${value}, true)`;

/** A range of names that begin with `prefix`: `~` sorts after every character of a name. */
const namedLike = (prefix: string): Sql =>
  sql`(r.rolname >= ${literal(prefix)} and r.rolname < ${literal(`${prefix}~`)})`;

/**
 * Create a login, or find the one that the same name or key already made. COMMENT ON the group
 * comes first: it is a lock that conflicts with itself until the commit, so limits are exact and
 * two calls with one key cannot both create. Times are whole seconds, rounded down, as Scheduler's
 * are: the schedule then stands at the very expiry.
 */
export function issue(order: IssueOrder): Sql {
  const { name, groupRole, connectionLimit } = order;
  const username = formatLeaseName(name);
  const shard = issuerRoleName(name.tag, name.shard);
  const keyed = Array.from({ length: order.shards }, (_, each) =>
    namedLike(`${namePrefix(name, each)}${name.digest}`),
  );
  const sameKey = order.replay ? joined(keyed, sql` or `) : sql`false`;
  return sql`${asIssuer({ name })};
do $mf$
declare
  grp oid; t timestamptz; start timestamptz; ends timestamptz; most timestamptz; earlier text; admin text := '';
  live bigint; mine bigint;
begin
  comment on role ${ident(groupRole)} is ${literal(`mayfly dynamic role ${name.role}`)};
  t := pg_catalog.clock_timestamp();
  start := pg_catalog.date_trunc('second', t);
  ends := start + pg_catalog.make_interval(secs => ${integer(order.ttlSeconds)});
  most := start + pg_catalog.make_interval(secs => ${integer(order.maxTtlSeconds)});
  select oid into grp from pg_catalog.pg_roles where rolname = ${literal(groupRole)};
  if exists (select from pg_catalog.pg_roles where rolname = ${literal(username)}) then
    ${outcome(literal(`issued ${username}`))};
    return;
  end if;
  select r.rolname into earlier
    from pg_catalog.pg_roles r join pg_catalog.pg_auth_members m on m.member = r.oid and m.roleid = grp
    where (${sameKey}) and r.rolcanlogin
      and r.rolvaliduntil > t + pg_catalog.make_interval(secs => ${integer(MIN_REPLAY_SECONDS)})
    order by r.rolvaliduntil desc limit 1;
  if earlier is not null then
    ${outcome(sql`'replayed ' || earlier`)};
    return;
  end if;
  select pg_catalog.count(*),
      pg_catalog.count(*) filter (where pg_catalog.split_part(r.rolname::text, '_', 4) = ${literal(name.consumer)})
    into live, mine
    from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member
    where m.roleid = grp and r.rolcanlogin and r.rolvaliduntil > t;
  if live >= ${integer(order.maxLeases)} then
    ${outcome(sql`'role ' || live`)};
    return;
  end if;
  if mine >= ${integer(order.maxLeasesPerConsumer)} then
    ${outcome(sql`'consumer ' || mine`)};
    return;
  end if;
  if pg_catalog.current_setting('server_version_num')::int < 160000 then
    admin := ' admin ' || ${literal(ident(shard))};
  end if;
  execute pg_catalog.format('create role %I login nosuperuser nocreatedb nocreaterole inherit '
      || 'connection limit ${integer(connectionLimit)} password %L valid until %L in role %I' || admin,
    ${literal(username)}, ${literal(order.verifier)}, ends, ${literal(groupRole)});
  execute pg_catalog.format('comment on role %I is %L', ${literal(username)},
    ${literal(openRecord(order.record))}
      || ',"issued":' || ${ms(sql`start`)} || ',"max":' || ${ms(sql`most`)} || '}');
  ${outcome(literal(`issued ${username}`))};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK}, ${ROW}
  from (select 1) one left join pg_catalog.pg_roles r
    on r.rolname = pg_catalog.split_part(${OUTCOME}, ' ', 2)`;
}

/** Move VALID UNTIL. The latch is read again after the ALTER: one that came between undoes it all. */
export function extend(lease: LeaseRef, ttlSeconds: number, until: Instant): Sql {
  const role = literal(lease.username);
  return sql`${asIssuer(lease)};
do $mf$
declare r record; t timestamptz := pg_catalog.clock_timestamp(); ends timestamptz;
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
  ends := least(pg_catalog.date_trunc('second', t) + pg_catalog.make_interval(secs => ${integer(ttlSeconds)}),
    pg_catalog.to_timestamp(${integer(until)} / 1000.0));
  execute pg_catalog.format('alter role %I valid until %L', ${role}, ends);
  select rolcanlogin into r from pg_catalog.pg_roles where rolname = ${role};
  if not r.rolcanlogin then
    raise exception 'latched meanwhile' using errcode = '40001';
  end if;
  ${outcome(literal("extended"))};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK}, ${ROW}
  from (select 1) one left join pg_catalog.pg_roles r on r.rolname = ${role}`;
}

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

/**
 * Take away login, password and every membership in both directions: a member of the lease would
 * keep its rights, and a session loses the group's at once. The issuer role's own ADMIN OPTION
 * stays: it is what the DROP needs.
 */
export function latch(lease: LeaseRef, { onlyIfDue, record }: LatchOptions): Sql {
  const role = literal(lease.username);
  const shard = literal(issuerRoleName(lease.name.tag, lease.name.shard));
  const notDue = onlyIfDue ? sql`r.rolcanlogin and r.rolvaliduntil > t` : sql`false`;
  return sql`${asIssuer(lease)}; set local lock_timeout = '1s';
do $mf$
declare
  r record; m record; t timestamptz := pg_catalog.clock_timestamp(); shard oid;
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
    execute pg_catalog.format(
      'alter role %I nologin password null connection limit 0 valid until ''-infinity''', ${role});
    execute pg_catalog.format('comment on role %I is %L', ${role},
      ${literal(openRecord(record))} || ',"latched":' || ${ms(sql`t`)} || '}');
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
  ${outcome(literal("latched"))};
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK},
  (select pg_catalog.count(*)::int from pg_catalog.pg_auth_members a
    where ${integer(lease.oid)} in (a.member, a.roleid)
      and not (a.roleid = ${integer(lease.oid)}
        and a.member = (select oid from pg_catalog.pg_roles where rolname = ${shard}))) as memberships`;
}

/**
 * End the sessions of an OID, waiting up to 250 ms for each. A role that has the OID but another name
 * is somebody else's: OIDs are handed out again.
 */
export const endSessions = (roleOid: number, username: string): Sql => sql`
${become("pg_signal_backend")};
select pg_catalog.count(*) filter (where ended)::int as ended,
    pg_catalog.count(*) filter (where not ended)::int as remaining
  from (select pg_catalog.pg_terminate_backend(a.pid, 250) as ended
    from pg_catalog.pg_stat_activity a
    where a.usesysid = ${integer(roleOid)} and a.pid <> pg_catalog.pg_backend_pid()
      and not exists (select from pg_catalog.pg_roles r
        where r.oid = ${integer(roleOid)} and r.rolname <> ${literal(username)})) sessions`;

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
