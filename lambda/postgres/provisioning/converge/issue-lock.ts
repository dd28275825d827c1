import { setTimeout as wait } from "node:timers/promises";
import { DatabaseUnavailableError } from "../../../../core/errors.ts";
import { issuerLoginName } from "../../../../core/names.ts";
import type { Session } from "../../connection/session.ts";
import { joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { borrow } from "../borrow.ts";

/**
 * How long to wait for running issues, and again for stuck holders of the lock. Unit: milliseconds.
 */
const PATIENCE = 10_000;
const PAUSE = 50;

/** The two keys of the lock that the verb `issue` takes for a dynamic role. */
export const issueLock = (tag: string, role: string): Sql =>
  sql`pg_catalog.hashtext(${literal(`mayfly ${tag}`)}), pg_catalog.hashtext(${literal(role)})`;

/**
 * Wait until every issue of a dynamic role that began before now has ended; later ones see the
 * present declaration. A session of an issuer login that keeps the lock for longer than any issue
 * is ended.
 *
 * @throws DatabaseUnavailableError if somebody else keeps the lock.
 */
export async function awaitIssues(
  session: Session,
  { tag, role, server }: { readonly tag: string; readonly role: string; readonly server: number },
): Promise<void> {
  const step = "wait for issues under way";
  const lock = issueLock(tag, role);
  const attempt = sql`select pg_catalog.pg_try_advisory_xact_lock(${lock}) as free`;
  const logins = [issuerLoginName(tag, "a"), issuerLoginName(tag, "b")];
  for (let waited = 0; ; waited += PAUSE) {
    const [found] = await session.rows<{ free: boolean }>(step, attempt);
    if (found?.free === true) return;
    if (waited >= 2 * PATIENCE)
      throw new DatabaseUnavailableError(
        `the lock under which ${role} is issued was not free within ${(2 * PATIENCE) / 1_000} s; see who holds it in pg_locks of database "mayfly", and do the same again`,
      );
    if (waited === PATIENCE)
      await session.apply(
        "end who sits on the lock of issues",
        borrow(logins, server, "inherit", [endHolders(lock, logins)]),
      );
    await wait(PAUSE);
  }
}

const endHolders = (lock: Sql, logins: readonly string[]): Sql => sql`
with k (a, b) as (values (${lock})),
held as materialized (select distinct l.pid from pg_catalog.pg_locks l
  join k on l.classid = (k.a::int8 & 4294967295)::oid and l.objid = (k.b::int8 & 4294967295)::oid
  join pg_catalog.pg_stat_activity s on s.pid = l.pid
  where l.locktype = 'advisory' and l.objsubid = 2 and l.granted
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and s.usename in (${joined(logins.map(literal), sql`, `)}))
select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) as ended from held`;
