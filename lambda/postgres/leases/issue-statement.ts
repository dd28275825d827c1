import { openRecord } from "../../../core/leases/lease.ts";
import { formatLeaseName, namePrefix } from "../../../core/leases/lease-name.ts";
import type { IssueOrder } from "../../../core/leases/ports.ts";
import { issuerRoleName } from "../../../core/names.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../connection/sql.ts";
import { CLOCK, ms, OUTCOME, outcome, ROW } from "./statement-parts.ts";

/** A replayed lease must live at least this much longer. Unit: seconds. */
const MIN_REPLAY_SECONDS = 5;

/** A range of names that begin with `prefix`: `~` sorts after every character of a name. */
const namedLike = (prefix: string): Sql =>
  sql`(r.rolname >= ${literal(prefix)} and r.rolname < ${literal(`${prefix}~`)})`;

/**
 * Create a login, or find the one that the same name or key already made. COMMENT ON the group
 * comes first: it is a lock that conflicts with itself until the commit, so limits are exact and
 * two calls with one key cannot both create. Times are whole seconds, rounded down, as Scheduler's
 * are: the schedule then stands at the very expiry.
 *
 * The statement holds a verifier, and the server logs the text of statements that fail: so this one
 * does not fail, but answers with the SQLSTATE. Even the change of role is inside the block.
 */
export function issue(order: IssueOrder): Sql {
  const { name, groupRole, connectionLimit } = order;
  const username = formatLeaseName(name);
  const shard = issuerRoleName(name.tag, name.shard);
  const keyed = Array.from({ length: order.shards }, (_, each) =>
    namedLike(`${namePrefix(name, each)}${name.digest}`),
  );
  const sameKey = order.replay ? joined(keyed, sql` or `) : sql`false`;
  return sql`do $mf$
declare
  grp oid; t timestamptz; start timestamptz; ends timestamptz; most timestamptz; earlier text; admin text := '';
  live bigint; mine bigint;
begin
  begin
    perform pg_catalog.set_config('role', ${literal(shard)}, true);
    perform pg_catalog.set_config('lock_timeout', '2s', true);
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
      where m.roleid = grp and r.rolcanlogin and r.rolvaliduntil > t
        and r.rolname > ${literal(`mf_${name.tag}_0`)} and r.rolname < ${literal(`mf_${name.tag}_:`)};
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
  exception when others or query_canceled then
    ${outcome(sql`'failed ' || sqlstate`)};
  end;
end $mf$;
select ${OUTCOME} as outcome, ${CLOCK}, ${ROW}
  from (select 1) one left join pg_catalog.pg_roles r
    on r.rolname = pg_catalog.split_part(${OUTCOME}, ' ', 2)`;
}
