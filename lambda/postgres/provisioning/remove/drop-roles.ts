import { StatementRejectedError } from "../../../../core/errors.ts";
import { groupRoleName, issuerRoleName } from "../../../../core/names.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Session } from "../../connection/session.ts";
import { ident, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { DENIED, IN_USE, NO_DATABASE } from "../../connection/sqlstates.ts";
import { serverVersion } from "../check/check-cluster.ts";
import { awaitIssues, issueLock } from "../converge/issue-lock.ts";

/** Something that blocks the DROP of a Mayfly role. */
export interface Keeper {
  readonly role: string;
  /** In words: number and kind of objects, and their database. */
  readonly what: string;
}

/**
 * `$1` names of roles. Dropping a role drops its memberships, except those that it granted to
 * others.
 */
const keepers = sql`
select r.rolname::text as role, pg_catalog.count(*) || ' in ' || (s.classid::pg_catalog.regclass)
    || ' (' || case s.deptype when 'o' then 'owner' when 'r' then 'policy' else 'privilege' end
    || '), ' || coalesce('database ' || d.datname, 'cluster') as what
from pg_catalog.pg_shdepend s
join pg_catalog.pg_roles r on r.oid = s.refobjid
left join pg_catalog.pg_database d on d.oid = s.dbid
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  and s.refobjid = any (array(
    select oid from pg_catalog.pg_roles where rolname = any ($1::text[])))
  and s.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass
group by r.rolname, s.classid, s.deptype, d.datname
order by 1, 2`;

/** What blocks the DROP of these roles. */
export const keepersOf = (session: Session, roles: readonly string[]): Promise<Keeper[]> =>
  session.rows("look for what keeps a role", keepers, [roles]);

/** `$1` a pattern. */
const matching = sql`
select rolname::text as name from pg_catalog.pg_roles where rolname::text ~ $1 order by 1`;

const named = async (session: Session, pattern: string): Promise<string[]> =>
  (await session.rows<{ name: string }>("list our roles", matching, [pattern])).map(
    ({ name }) => name,
  );

const leasePattern = (tag: string): string => `^mf_${tag}_[a-z0-9-]+_[a-z0-9-]+_[a-z0-9]+$`;

/** The existing group roles, whatever the configuration says. */
export const groupsOf = (session: Session, tag: string): Promise<string[]> =>
  named(session, `^${groupRoleName(tag, "")}`);

/** The roles that are named like leases, whether they are leases or not. */
export const leasesOf = (session: Session, tag: string): Promise<string[]> =>
  named(session, leasePattern(tag));

/** The existing issuer roles, logins and janitor. */
export const staffOf = (session: Session, tag: string): Promise<string[]> =>
  named(session, `^mf_${tag}_(issuer_[a-z2-7]{2}|login_[ab]|janitor|ender)$`);

/** Whether a role name is an issuer role's. */
export const isIssuerRole = (tag: string, name: string): boolean =>
  name.startsWith(issuerRoleName(tag, 0).slice(0, -2));

/**
 * Drop a group role, unless a lease is a member. It takes the lock that issuing takes, and issuing
 * checks the declaration again under that lock: so no lease can join between the check and the
 * DROP.
 *
 * @returns false if there is a lease.
 */
export async function dropGroup(session: Session, tag: string, group: string): Promise<boolean> {
  const name = ident(group);
  const role = group.slice(groupRoleName(tag, "").length);
  await awaitIssues(session, { tag, role, server: await serverVersion(session) });
  try {
    await session.apply("drop a group role", [
      sql`select pg_catalog.pg_advisory_xact_lock(${issueLock(tag, role)})`,
      sql`do $mf$ begin
        if exists (select from pg_catalog.pg_auth_members m
            join pg_catalog.pg_roles u on u.oid = m.member
            join pg_catalog.pg_roles g on g.oid = m.roleid
            where g.rolname = ${literal(group)} and u.rolname::text ~ ${literal(leasePattern(tag))}) then
          raise exception 'a lease is in the group' using errcode = 'object_in_use';
        end if;
      end $mf$`,
      sql`drop role ${name}`,
    ]);
    return true;
  } catch (error) {
    if (error instanceof StatementRejectedError && error.engineCode === IN_USE) return false;
    throw error;
  }
}

/** Set logins to NOLOGIN, so that ended sessions cannot come back. */
export const shut = (session: Session, logins: readonly string[]): Promise<void> =>
  session.apply(
    "shut the logins",
    logins.map((login) => sql`alter role ${ident(login)} nologin`),
  );

/** Drop roles and, before, what they have, in one transaction: a failed removal can be repeated. */
export const dropRoles = (
  session: Session,
  roles: readonly string[],
  before: readonly Sql[] = [],
): Promise<void> =>
  session.apply("drop issuer roles, logins and janitor", [
    ...before,
    ...(roles.length === 0 ? [] : [sql`drop role ${joined(roles.map(ident), sql`, `)}`]),
  ]);

/** SQLSTATEs: somebody is connected to the database; somebody else owns it; it is gone. */
const KEPT = new Set([IN_USE, DENIED, NO_DATABASE]);

/**
 * Drop the maintenance database, on a connection to another database, unless somebody is connected
 * to it.
 */
export async function dropMaintenanceDatabase(
  session: Session,
  plan: Pick<ProvisionPlan, "maintenanceDatabase">,
): Promise<boolean> {
  const step = "drop the maintenance database";
  await session.alone(step, sql`drop database ${ident(plan.maintenanceDatabase)}`, KEPT);
  return !(await maintenanceExists(session, plan));
}

/**
 * Objects in the maintenance database that are not Mayfly's, after its last tag is gone: everything
 * that is not part of PostgreSQL (`FirstNormalObjectId`; a large object may have any number),
 * except the table of stamps.
 */
const strangeObjects = sql`
with ours as (select n.oid from pg_catalog.pg_namespace n where n.nspname = 'mayfly'),
found (classid, objid) as (
  select 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid from pg_catalog.pg_namespace n
    where n.oid not in (select oid from ours)
      and n.nspname !~ '^pg_(temp|toast_temp)_'
  union all select 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and n.nspname !~ '^pg_(toast|temp)'
      and not (c.relnamespace in (select oid from ours) and c.relname = 'stack')
  union all select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid from pg_catalog.pg_proc p
  union all select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid from pg_catalog.pg_type t
    where t.typrelid = 0 and t.typelem = 0
  union all select 'pg_catalog.pg_extension'::pg_catalog.regclass, e.oid from pg_catalog.pg_extension e
  union all select 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid
    from pg_catalog.pg_event_trigger e
  union all select 'pg_catalog.pg_publication'::pg_catalog.regclass, p.oid
    from pg_catalog.pg_publication p
  union all select 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid
    from pg_catalog.pg_foreign_server s
  union all select 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid
    from pg_catalog.pg_largeobject_metadata l)
select pg_catalog.pg_describe_object(classid, objid, 0) as what from found
where objid >= 16384 or classid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
order by 1 limit 21`;

/** Other people's objects in the maintenance database, on a connection to it. */
export const strangeIn = async (session: Session): Promise<readonly string[]> =>
  (await session.rows<{ what: string }>("look for what is not Mayfly's", strangeObjects)).map(
    ({ what }) => JSON.stringify(what),
  );

/** Whether the maintenance database exists. */
export async function maintenanceExists(
  session: Session,
  { maintenanceDatabase }: Pick<ProvisionPlan, "maintenanceDatabase">,
): Promise<boolean> {
  const rows = await session.rows(
    "look for the maintenance database",
    sql`select from pg_catalog.pg_database where datname = $1::text`,
    [maintenanceDatabase],
  );
  return rows.length > 0;
}

/** `$1` the prefix of group roles. */
const grantedDatabases = sql`
select distinct d.datname::text as name, not d.datallowconn as closed,
  d.datallowconn and pg_catalog.has_database_privilege(d.oid, 'CONNECT') as open
from pg_catalog.pg_shdepend s
join pg_catalog.pg_database d on d.oid = s.dbid
join pg_catalog.pg_roles g on g.oid = s.refobjid
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.deptype = 'a'
  and s.refobjid = any (array(
    select oid from pg_catalog.pg_roles where pg_catalog.starts_with(rolname::text, $1)))
order by 1`;

/** The databases in which group roles have privileges, and whether they allow connections. */
export const databasesGranted = (
  session: Session,
  tag: string,
): Promise<{ readonly name: string; readonly open: boolean; readonly closed: boolean }[]> =>
  session.rows("find where groups hold privileges", grantedDatabases, [groupRoleName(tag, "")]);
