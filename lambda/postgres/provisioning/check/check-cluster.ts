import { enderName, groupRoleName } from "../../../../core/names.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, literal, type Sql, sql } from "../../connection/sql.ts";
import { isHalfMade, isMarked } from "../converge/maintenance-database.ts";
import { entrantsOf, issuerLoginsOf, SIGNAL_ROLE, wantedRoles } from "../wanted-roles.ts";
import {
  type AdminFacts,
  adminProblems,
  type DatabaseFacts,
  databaseProblems,
  elsewhereProblem,
  foreignRolesProblem,
  type Intruder,
  intruderProblem,
  ownerProblems,
  powerProblem,
  type RoleFacts,
  signalProblem,
} from "./cluster-problems.ts";

const OLDEST = 140_000;

/** The result of checking a cluster. */
export interface ClusterFindings {
  /** `server_version_num`, e.g. 180004. */
  readonly version: number;
  readonly problems: readonly string[];
  readonly admin: string;
  /** The admin can become the owner. */
  readonly ownerMember: boolean;
  /** Whether the owner exists, so that the checks inside the application databases are possible. */
  readonly ownerExists: boolean;
  /** The application databases that can be entered. */
  readonly reachable: readonly string[];
}

/** `server_version_num`, e.g. 180004. */
export async function serverVersion(session: Session): Promise<number> {
  const [row] = await session.rows<{ version: number }>(
    "ask for the version",
    sql`select pg_catalog.current_setting('server_version_num')::int as version`,
  );
  return row?.version ?? 0;
}

/** `$1` the owner, `$2` the maintenance database, `$3` the role that ends sessions. */
const adminFacts = (split: boolean): Sql => sql`
select u.rolname::text as admin, u.rolsuper as superuser, u.rolcreaterole as create_role,
  u.rolcreatedb as create_db, o.oid is not null as owner_exists, o.rolsuper as owner_superuser,
  pg_catalog.pg_has_role(u.oid, o.oid, ${split ? sql`'SET'` : sql`'MEMBER'`}) as owner_member,
  d.oid is not null as maintenance_exists,
  pg_catalog.pg_has_role(u.oid, d.datdba, 'USAGE') as maintenance_ours,
  ${isMarked} or (${isHalfMade}) as maintenance_marked,
  exists (select from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles e on e.oid = m.member
    join pg_catalog.pg_roles s on s.oid = m.roleid
    where s.rolname = ${literal(SIGNAL_ROLE)} and e.rolname = $3::text) as ender_signals
from pg_catalog.pg_roles u
left join pg_catalog.pg_roles o on o.rolname = $1::text
left join pg_catalog.pg_database d on d.datname = $2::text
where u.rolname = current_user`;

/**
 * `$1` the application databases, `$2` the owner, or null if it does not exist, `$3` the roles that
 * must be able to connect. A database is also `grantable` if no grant is missing.
 */
const databaseFacts = sql`
select w.name, d.oid is not null as exists, coalesce(d.datallowconn, false) as open,
  pg_catalog.has_database_privilege(d.oid, 'CONNECT') as may_connect,
  pg_catalog.has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION')
    or coalesce(pg_catalog.has_database_privilege(
         $2::name, d.oid, 'CONNECT WITH GRANT OPTION'), false)
    or pg_catalog.has_database_privilege('public', d.oid, 'CONNECT')
    or not exists (select from pg_catalog.unnest($3::text[]) as e(role)
         left join pg_catalog.pg_roles g on g.rolname = e.role
         where not exists (select from pg_catalog.aclexplode(d.datacl) a
           where a.grantee = g.oid and a.privilege_type = 'CONNECT')) as grantable
from pg_catalog.unnest($1::text[]) as w(name)
left join pg_catalog.pg_database d on d.datname = w.name`;

/**
 * `$1` the maintenance database. Roles that may connect to it and are neither its owner nor an
 * issuer login.
 */
export const intruders = sql`
select g.rolname::text as name, b.rolname::text as grantor
from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
join pg_catalog.pg_roles g on g.oid = a.grantee
join pg_catalog.pg_roles b on b.oid = a.grantor
where d.datname = $1::text and a.privilege_type = 'CONNECT' and a.grantee <> d.datdba
  and g.rolname !~ '^mf_[a-z2-7]{4}_login_[ab]$'`;

/**
 * `$1` the maintenance database, `$2` the issuer logins. Another Mayfly database to which they may
 * connect.
 */
const elsewhere = sql`
select distinct d.datname::text as name
from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
join pg_catalog.pg_roles g on g.oid = a.grantee
where d.datname <> $1::text and ${isMarked} and g.rolname = any ($2::text[])`;

/**
 * `$1` the names of Mayfly's own roles, `$2` the prefix of its groups: some may no longer be in the
 * plan.
 */
const existingRoles = sql`
select r.rolname::text as name, r.rolsuper or r.rolreplication or r.rolbypassrls as powerful
from pg_catalog.pg_roles r
where r.rolname = any ($1::text[]) or pg_catalog.starts_with(r.rolname::text, $2)
order by 1`;

/** Check everything outside the application databases. Changes nothing. */
export async function checkCluster(
  session: Session,
  plan: ProvisionPlan,
): Promise<ClusterFindings> {
  const step = "check the cluster";
  const version = await serverVersion(session);
  if (version < OLDEST)
    return {
      version,
      admin: "",
      ownerMember: false,
      problems: [`the server is older than PostgreSQL 14 (${version}); upgrade it`],
      ownerExists: false,
      reachable: [],
    };
  const split = version >= SPLIT_MEMBERSHIP;
  const [found] = await session.rows<AdminFacts>(step, adminFacts(split), [
    plan.owner,
    plan.maintenanceDatabase,
    enderName(plan.tag),
  ]);
  if (found === undefined) throw new Error("pg_roles has no row for current_user");
  const databases = await session.rows<DatabaseFacts>(step, databaseFacts, [
    plan.databases,
    found.owner_exists ? plan.owner : null,
    entrantsOf(plan),
  ]);
  const intruding =
    found.maintenance_marked === true
      ? await session.rows<Intruder>(step, intruders, [plan.maintenanceDatabase])
      : [];
  const others = await session.rows<{ name: string }>(step, elsewhere, [
    plan.maintenanceDatabase,
    issuerLoginsOf(plan),
  ]);
  const roles = await session.rows<RoleFacts>(step, existingRoles, [
    wantedRoles(plan).map(({ name }) => name),
    groupRoleName(plan.tag, ""),
  ]);
  return {
    version,
    admin: found.admin,
    ownerMember: found.owner_member === true,
    problems: [
      ...adminProblems(found, plan),
      ...ownerProblems(found, plan.owner),
      ...databases.flatMap((database) => databaseProblems(database, found.admin)),
      ...others.map(({ name }) => elsewhereProblem(name, plan)),
      ...intruding.map((each) => intruderProblem(each, plan)),
      ...roles.filter(({ powerful }) => powerful).map(({ name }) => powerProblem(name)),
      ...(await refusedRights(session, found, roles, version)),
    ],
    ownerExists: found.owner_exists,
    reachable: databases.filter((d) => d.open && d.may_connect).map(({ name }) => name),
  };
}

/**
 * Try the rights over roles in transactions that are rolled back, instead of reading catalogs: RDS
 * lets its master user grant more than the catalogs of PostgreSQL 16 and newer show.
 */
async function refusedRights(
  session: Session,
  { admin, create_role, ender_signals, superuser }: AdminFacts,
  roles: readonly RoleFacts[],
  version: number,
): Promise<readonly string[]> {
  const split = version >= SPLIT_MEMBERSHIP;
  const step = "try the admin's rights";
  const problems: string[] = [];
  const signal = ident(SIGNAL_ROLE);
  // before 16, CREATEROLE is enough; if it is missing, that is a separate problem
  if (!superuser && !ender_signals && (split || create_role))
    if (!(await session.permits(step, [sql`grant ${signal} to current_user`])))
      problems.push(signalProblem(admin));
  const ours = create_role ? roles.filter(({ powerful }) => !powerful) : [];
  const foreign = await foreignAmong(
    session,
    ours.map(({ name }) => name),
  );
  return foreign.length === 0
    ? problems
    : [...problems, foreignRolesProblem(foreign, admin, version)];
}

/** The roles that the administrator may not alter, found by trying. */
export async function foreignAmong(
  session: Session,
  roles: readonly string[],
): Promise<readonly string[]> {
  const permits = (names: readonly string[]): Promise<boolean> =>
    session.permits(
      "try the admin's rights",
      names.map((name) => sql`alter role ${ident(name)} connection limit -1`),
    );
  if (roles.length === 0 || (await permits(roles))) return [];
  const foreign: string[] = [];
  for (const name of roles) if (!(await permits([name]))) foreign.push(name);
  return foreign;
}
