import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import { formatShard } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";
import { flawsOr, type Look } from "./looking.ts";

/**
 * Leases of one issuer role up to which PostgreSQL 16 and newer create another in less than 5 ms
 * of processor: each creation reads all roles that the creator has made.
 */
const SHARD_BUDGET = 700;
/** Part of a limit at which somebody should know. */
const NEAR = 0.9;

/** What to say of the leases with these names. Latched ones count. */
export function judgeLeases(
  { tag, shards, roles }: Pick<ProvisionPlan, "tag" | "shards" | "roles">,
  names: readonly string[],
  version: number,
): readonly Finding[] {
  const leases = names.flatMap((name) => parseLeaseName(name) ?? []).filter((n) => n.tag === tag);
  const perRole = Map.groupBy(leases, ({ role }) => role);
  const perShard = Map.groupBy(leases, ({ shard }) => shard);
  const check = "lease-budget";
  const limits = Object.entries(roles).flatMap(([role, { maxLeases }]): Flaw[] => {
    const count = perRole.get(role)?.length ?? 0;
    if (count < maxLeases * NEAR) return [];
    return [
      {
        check,
        subject: `role ${role}`,
        verdict: count >= maxLeases ? "broken" : "warning",
        evidence: `${count} of ${maxLeases} leases; ${count >= maxLeases ? "issues are refused" : "issues are soon refused"} (LeaseLimitError)`,
        fix: byHand(
          `set maxLeases of ${role} to ${2 * maxLeases} and deploy, or run mayfly list to see who holds them`,
        ),
      },
    ];
  });
  const fullest = [...perShard].toSorted(([, a], [, b]) => b.length - a.length)[0];
  const [shard = 0, inShard = []] = fullest ?? [];
  const crowded: Flaw[] =
    version < SPLIT_MEMBERSHIP || inShard.length <= SHARD_BUDGET
      ? []
      : [
          {
            check,
            subject: `issuer role ${formatShard(shard)}`,
            verdict: "warning",
            evidence: `${inShard.length} leases, more than ${SHARD_BUDGET}: each issue takes more than 5 ms of the server's processor`,
            fix: byHand(
              `set shards to ${2 ** Math.ceil(Math.log2(Math.max(shards + 1, leases.length / SHARD_BUDGET)))} and deploy`,
            ),
          },
        ];
  return flawsOr([...limits, ...crowded], {
    check,
    subject: `${Object.keys(roles).length} dynamic roles`,
    evidence: `${leases.length} leases, at most ${inShard.length} in one of ${shards} issuer roles`,
  });
}

/** `$1` the prefix of leases. */
const leaseNames = sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where pg_catalog.starts_with(r.rolname::text, $1)`;

/** The leases that there are, against the limits of their roles and of issuer roles. */
export const lookAtLeases: Look = async ({ session, plan, version }) => {
  const rows = await session.rows<{ name: string }>("count leases", leaseNames, [
    `mf_${plan.tag}_`,
  ]);
  return judgeLeases(
    plan,
    rows.map(({ name }) => name),
    version,
  );
};

/** Connections, counted. */
export interface Connections {
  /** For users without a reserve. */
  readonly available: number;
  readonly max: number;
  /** Sessions of others than Mayfly and its leases. */
  readonly others: number;
  /** All sessions. */
  readonly open: number;
  /** What Mayfly's logins and the leases may open. */
  readonly limits: number;
  /** Roles of Mayfly's that can log in. */
  readonly logins: number;
}

/** What to say of them. */
export function judgeConnections(seen: Connections): Finding {
  const { available, max, others, open, limits, logins } = seen;
  const wanted = others + limits;
  const evidence = `max_connections is ${max}, of which ${available} are for ordinary users; ${open} are open; ${logins} logins of Mayfly and its leases may open ${limits}, and others have ${others}`;
  const about = { check: "connections", subject: "max_connections" };
  const isFull = open >= available * NEAR;
  const [finding] = flawsOr(
    !isFull && wanted <= available
      ? []
      : [
          {
            ...about,
            verdict: isFull ? "broken" : "warning",
            evidence: `${evidence}: ${isFull ? "it is full" : "together more than there are"}, and then a login fails with 53300`,
            fix: byHand(
              `set max_connections to ${Math.max(wanted, Math.ceil(open / NEAR)) + max - available} (on RDS: in the parameter group) and restart the server, or lower connectionLimit of the dynamic roles and deploy`,
            ),
          },
        ],
    { ...about, evidence },
  );
  if (finding === undefined) throw new Error("there is always a finding");
  return finding;
}

/** `$1` the prefix of leases and of Mayfly's logins. */
const connections = sql`
with s as (select pg_catalog.current_setting('max_connections')::int as max,
    pg_catalog.current_setting('superuser_reserved_connections')::int
    + coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0)
    + coalesce(pg_catalog.current_setting('rds.rds_superuser_reserved_connections', true)::int, 0)
      as reserved),
r as (select rolconnlimit, oid from pg_catalog.pg_roles
  where rolcanlogin and pg_catalog.starts_with(rolname::text, $1)),
a as (select usesysid from pg_catalog.pg_stat_activity
  where usesysid is not null and datid is not null)
select s.max, s.max - s.reserved as available,
  (select pg_catalog.count(*)::int from a) as open,
  (select pg_catalog.count(*)::int from a where usesysid not in (select oid from r)) as others,
  (select pg_catalog.count(*)::int from r) as logins,
  coalesce((select pg_catalog.sum(case when rolconnlimit < 0 then s.max else rolconnlimit end) from r),
    0)::int as limits
from s`;

/** What may be opened, against what the server allows. */
export const lookAtConnections: Look = async ({ session, plan }) => {
  const [seen] = await session.rows<Connections>("count connections", connections, [
    `mf_${plan.tag}_`,
  ]);
  if (seen === undefined) throw new Error("a query without FROM has one row");
  return [judgeConnections(seen)];
};
