import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, literal, sql } from "../../connection/sql.ts";
import { MARK } from "../converge/maintenance-database.ts";
import { SIGNAL_ROLE } from "../wanted-roles.ts";
import { as, listed, problem, someOf } from "./problems.ts";

/** The administrator, the owner and the maintenance database in the catalogs. */
export interface AdminFacts {
  readonly admin: string;
  readonly superuser: boolean;
  readonly create_role: boolean;
  readonly create_db: boolean;
  readonly owner_exists: boolean;
  readonly owner_superuser: boolean | null;
  readonly owner_member: boolean | null;
  readonly maintenance_exists: boolean;
  readonly maintenance_ours: boolean | null;
  /** It is Mayfly's database, whoever owns it. */
  readonly maintenance_marked: boolean | null;
  /** The role that ends sessions already has the right. */
  readonly ender_signals: boolean;
}

/** An application database in the catalogs. */
export interface DatabaseFacts {
  readonly name: string;
  readonly exists: boolean;
  readonly open: boolean;
  readonly may_connect: boolean | null;
  readonly grantable: boolean | null;
}

/** A role with one of Mayfly's names in the catalogs. */
export interface RoleFacts {
  readonly name: string;
  /** It has an attribute that Mayfly's roles must not have. */
  readonly powerful: boolean;
}

/**
 * The problem that a database with this name is somebody else's, or was copied without its comment.
 */
export const foreignDatabase = ({ maintenanceDatabase }: Maintained): string =>
  `the database "${maintenanceDatabase}" exists and is not Mayfly's; if anybody uses it, set "maintenanceDatabase" to a name that is free; if it is Mayfly's and was restored without its comment, have a DBA run: ${sql`COMMENT ON DATABASE ${ident(maintenanceDatabase)} IS ${literal(MARK)}`};`;

type Maintained = Pick<ProvisionPlan, "maintenanceDatabase">;

/** The problems of the administrator. */
export function adminProblems(found: AdminFacts, plan: Maintained): string[] {
  const admin = ident(found.admin);
  if (found.superuser)
    return [
      `${admin} is a superuser, and code in an application database could run with its power; have a DBA make an admin with CREATEROLE and CREATEDB only, and put it into the admin secret`,
    ];
  const problems: string[] = [];
  if (!found.create_role)
    problems.push(problem(`${admin} may not create roles`, sql`ALTER ROLE ${admin} CREATEROLE`));
  if (!found.maintenance_exists && !found.create_db)
    problems.push(
      problem(
        `${admin} may not create the maintenance database "${plan.maintenanceDatabase}"`,
        sql`ALTER ROLE ${admin} CREATEDB`,
      ),
    );
  if (found.maintenance_exists && !found.maintenance_marked) problems.push(foreignDatabase(plan));
  else if (found.maintenance_exists && !found.maintenance_ours)
    problems.push(
      problem(
        `the maintenance database "${plan.maintenanceDatabase}" belongs to another role`,
        sql`ALTER DATABASE ${ident(plan.maintenanceDatabase)} OWNER TO ${admin}`,
      ),
    );
  return problems;
}

/** The problems of the owner. */
export function ownerProblems(found: AdminFacts, name: string): string[] {
  const owner = ident(name);
  if (!found.owner_exists)
    return [
      problem(
        `the owner ${owner} does not exist; set "owner" to the role that owns the tables`,
        sql`CREATE ROLE ${owner} NOLOGIN`,
      ),
    ];
  if (found.owner_superuser)
    return [
      `the owner ${owner} is a superuser; set "owner" to an ordinary role: the one that owns the tables, or one that holds their privileges with the grant option`,
    ];
  return [];
}

/**
 * The problem that the owner must grant something, but the administrator cannot become the owner.
 */
export const membershipProblem = (
  admin: string,
  owner: string,
  { privileges, split }: { readonly privileges: number; readonly split: boolean },
): string =>
  problem(
    `${ident(admin)} cannot become the owner ${ident(owner)}, who must grant what the groups lack there, ${privileges} privilege${privileges === 1 ? "" : "s"}`,
    sql`GRANT ${ident(owner)} TO ${ident(admin)}${split ? sql` WITH INHERIT FALSE, SET TRUE` : sql``}`,
  );

/** The problems of an application database that are visible from outside. */
export function databaseProblems(database: DatabaseFacts, adminName: string): string[] {
  const [name, admin] = [ident(database.name), ident(adminName)];
  if (!database.exists)
    return [
      problem(
        `the database ${name} does not exist; correct "databases"`,
        sql`CREATE DATABASE ${name}`,
      ),
    ];
  if (!database.open) return [closedProblem(database.name)];
  if (!database.may_connect)
    return [
      problem(
        `${admin} may not connect to the database ${name}`,
        sql`GRANT CONNECT ON DATABASE ${name} TO ${admin} WITH GRANT OPTION`,
      ),
    ];
  if (database.grantable) return [];
  return [
    problem(
      `neither ${admin} nor the owner may grant CONNECT on the database ${name}`,
      sql`GRANT CONNECT ON DATABASE ${name} TO ${admin} WITH GRANT OPTION`,
    ),
  ];
}

/** The problem that the tag already uses another maintenance database. */
export const elsewhereProblem = (
  name: string,
  { tag, maintenanceDatabase }: Pick<ProvisionPlan, "tag" | "maintenanceDatabase">,
): string =>
  `the tag "${tag}" uses the database ${ident(name)}, and cannot move to "${maintenanceDatabase}"; set "maintenanceDatabase" to ${ident(name)}, or "tag" to four other characters of a-z and 2-7`;

/** The problem that a database allows no connections. */
export const closedProblem = (name: string): string =>
  problem(
    `the database ${ident(name)} allows no connections`,
    sql`ALTER DATABASE ${ident(name)} WITH ALLOW_CONNECTIONS true`,
  );

/** A role that may connect to the maintenance database, and the grantor. */
export interface Intruder {
  readonly name: string;
  readonly grantor: string;
}

/**
 * The problem that a role may connect to the maintenance database. The grantor must revoke it;
 * otherwise the REVOKE has no effect (C14).
 */
export const intruderProblem = ({ name, grantor }: Intruder, plan: Maintained): string =>
  problem(
    `${ident(name)} may connect to the maintenance database "${plan.maintenanceDatabase}", where nobody but issuer logins may`,
    as(
      grantor,
      sql`REVOKE CONNECT ON DATABASE ${ident(plan.maintenanceDatabase)} FROM ${ident(name)} CASCADE`,
    ),
  );

/** The problem that the administrator cannot grant the right to end sessions. */
export const signalProblem = (admin: string): string =>
  problem(
    `${ident(admin)} may not grant ${SIGNAL_ROLE}, which ends sessions`,
    sql`GRANT ${ident(SIGNAL_ROLE)} TO ${ident(admin)} WITH ADMIN OPTION`,
  );

/** The problem that a role with one of Mayfly's names has too many attributes. */
export const powerProblem = (role: string): string =>
  problem(
    `the role ${ident(role)} exists with SUPERUSER, REPLICATION or BYPASSRLS`,
    sql`ALTER ROLE ${ident(role)} NOSUPERUSER NOREPLICATION NOBYPASSRLS`,
  );

/**
 * The problem that the administrator may not alter roles with Mayfly's names, for example roles
 * from before PostgreSQL 16, when such rights were not recorded. The remedy grants power over the
 * roles, but not their privileges.
 */
export const foreignRolesProblem = (
  roles: readonly string[],
  admin: string,
  version: number,
): string => {
  const options =
    version >= SPLIT_MEMBERSHIP ? sql`ADMIN TRUE, INHERIT FALSE, SET FALSE` : sql`ADMIN OPTION`;
  const names = roles.map(ident);
  const many = roles.length > 1;
  return problem(
    `the role${many ? "s" : ""} ${someOf(roles)} exist${many ? "" : "s"}, and ${ident(admin)} may not alter ${many ? "them" : "it"}`,
    sql`GRANT ${listed(names)} TO ${ident(admin)} WITH ${options}`,
  );
};
