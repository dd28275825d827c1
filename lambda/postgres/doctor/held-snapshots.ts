import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { formatLeaseId } from "../../../core/leases/lease-id.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import { ident, integer, literal, sql } from "../connection/sql.ts";
import { flawsOr, type Look, run } from "./looking.ts";

/**
 * Transactions since a snapshot was taken. With one held through 10,000 issues and revocations, an
 * issue took four times as long, because nothing may be vacuumed that the snapshot might still see.
 */
const OLD = 10_000;

interface Holder {
  readonly pid: number;
  readonly user: string | null;
  readonly database: string | null;
  readonly age: number;
}

/** Readable by everybody, unlike since when: of another's session that is hidden. */
const holders = sql`
select a.pid, a.usename::text as user, a.datname::text as database,
  greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as age
from pg_catalog.pg_stat_activity a
where a.usesysid is not null and a.pid <> pg_catalog.pg_backend_pid()
order by 4 desc nulls last limit 20`;

interface Slot {
  readonly name: string;
  readonly active: boolean;
  readonly age: number;
}

const slots = sql`
select s.slot_name::text as name, s.active,
  greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)) as age
from pg_catalog.pg_replication_slots s
where s.xmin is not null or s.catalog_xmin is not null
order by 3 desc limit 20`;

/** Transactions and replication slots that keep the catalogs from being vacuumed. */
export const lookAtSnapshots: Look = async ({ session, plan }) => {
  const what = "look for old snapshots";
  const sessions = await session.rows<Holder>(what, holders);
  const old = sessions.filter(({ age }) => age >= OLD);
  const oldSlots = (await session.rows<Slot>(what, slots)).filter(({ age }) => age >= OLD);
  const flaws = [
    ...old.map(({ pid, user, database, age }): Flaw => {
      const lease = user === null ? undefined : parseLeaseName(user);
      const isLease = lease?.tag === plan.tag;
      const where = database ?? plan.maintenanceDatabase;
      return {
        check: "long-transactions",
        subject: `session ${pid} of ${user ?? "a user that is gone"} in database ${where}`,
        verdict: "warning",
        evidence: `its transaction is ${age} transactions old, and until it ends nothing is vacuumed that it might see: roles and memberships of ended leases too, so each issue takes longer`,
        fix:
          user === null
            ? byHand(`have a member of pg_signal_backend run: SELECT pg_terminate_backend(${pid});`)
            : isLease
              ? byHand(`run mayfly revoke ${formatLeaseId(plan.database, lease.role, user)}`)
              : run({ database: where, as: user }, [
                  sql`SELECT pg_catalog.pg_terminate_backend(${integer(pid)})`,
                ]),
      };
    }),
    ...oldSlots.map(
      ({ name, active, age }): Flaw => ({
        check: "long-transactions",
        subject: `replication slot ${name}`,
        verdict: "warning",
        evidence: `it keeps what is ${age} transactions old, and ${active ? "its consumer lags" : "nobody consumes it"}`,
        fix: byHand(
          active
            ? `let the consumer of slot ${name} catch up`
            : `have a role with REPLICATION run: SELECT pg_drop_replication_slot(${literal(name)});`,
        ),
      }),
    ),
  ];
  const oldest = Math.max(0, ...sessions.map(({ age }) => age ?? 0));
  return flawsOr(flaws, {
    check: "long-transactions",
    subject: "sessions and replication slots",
    evidence: `the oldest snapshot is ${oldest} transactions old, less than ${OLD}`,
  });
};

interface Prepared {
  readonly name: string;
  readonly owner: string | null;
  readonly database: string;
  readonly seconds: number;
}

const prepared = sql`
select p.gid as name, p.owner::text as owner, p.database::text as database,
  pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp() - p.prepared))::int as seconds
from pg_catalog.pg_prepared_xacts p order by p.prepared limit 20`;

/** Seconds. Who commits in two phases does so in seconds. */
const FORGOTTEN = 15 * 60;

/** Prepared transactions that nobody ends: they keep locks and a snapshot without a session. */
export const lookAtPrepared = async (
  { session, plan }: Parameters<Look>[0],
  forgotten = FORGOTTEN,
): ReturnType<Look> => {
  const rows = await session.rows<Prepared>("look for prepared transactions", prepared);
  const isLeases = (owner: string | null): boolean =>
    owner === null || parseLeaseName(owner)?.tag === plan.tag;
  const left = rows.filter(({ owner, seconds }) => isLeases(owner) || seconds >= forgotten);
  return flawsOr(
    left.map(
      ({ name, owner, database, seconds }): Flaw => ({
        check: "prepared-transactions",
        subject: `prepared transaction ${name} in database ${database}`,
        verdict: isLeases(owner) ? "broken" : "warning",
        evidence: `${owner ?? "a user that is gone"} prepared it ${seconds} s ago; its locks and its snapshot stay until it is ended`,
        fix:
          owner === null
            ? byHand(
                `have a superuser run, in database ${ident(database)}: ROLLBACK PREPARED ${literal(name)};`,
              )
            : run({ database, as: owner }, [sql`ROLLBACK PREPARED ${literal(name)}`]),
      }),
    ),
    {
      check: "prepared-transactions",
      subject: "prepared transactions",
      evidence: rows.length === 0 ? "there are none" : `${rows.length}, none of them forgotten`,
    },
  );
};
