import type { LeaseRef } from "../../../core/leases/ports.ts";
import { issuerRoleName } from "../../../core/names.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";

// Each statement is one simple query: one round trip, one implicit transaction (PostgreSQL 53.2.2.1).
// Outcomes leave a DO block through the setting `mayfly.outcome`, not as errors: the server logs
// the whole text of a statement that fails, and the issue statement holds a verifier.

/** No statement waits longer for a lock. */
const LOCK_TIMEOUT = sql`set local lock_timeout = '2s'`;

/** Act as `role` until the end of the transaction. */
export const become = (role: string): Sql => sql`set local role ${ident(role)}; ${LOCK_TIMEOUT}`;

/** Act as the issuer role that the lease's name says. */
export const asIssuer = ({ name }: Pick<LeaseRef, "name">): Sql =>
  become(issuerRoleName(name.tag, name.shard));

/** Milliseconds since the epoch. */
export const ms = (time: Sql): Sql =>
  sql`pg_catalog.floor(extract(epoch from ${time}) * 1000)::pg_catalog.int8`;

/** The column `now`, by the server's clock. */
export const CLOCK = sql`${ms(sql`pg_catalog.clock_timestamp()`)}::pg_catalog.float8 as now`;

/** The columns of a RoleRow, of `pg_roles r`. */
export const ROW = sql`
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
  pg_catalog.current_setting('server_version_num')::int < 150000 as "administersItself",
  pg_catalog.left(pg_catalog.shobj_description(r.oid, 'pg_authid'), 1001) as comment`;

/** What {@link outcome} set last. */
export const OUTCOME = sql`pg_catalog.current_setting('mayfly.outcome')`;

/** Let a DO block say what came of it. */
export const outcome = (value: Sql): Sql =>
  sql`perform pg_catalog.set_config('mayfly.outcome', ${value}, true)`;
