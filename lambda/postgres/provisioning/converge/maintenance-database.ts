import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Session } from "../../connection/session.ts";
import { ident, literal, type Sql, sql } from "../../connection/sql.ts";
import { CREATED_MEANWHILE } from "../../connection/sqlstates.ts";
import { refuseIf } from "../check/problems.ts";

type Maintained = Pick<ProvisionPlan, "maintenanceDatabase">;

const nameOf = ({ maintenanceDatabase }: Maintained): Sql => ident(maintenanceDatabase);

/** The comment by which Mayfly recognises its database. Only an owner can set it. */
export const MARK = "Mayfly's own: leases are made and ended here";

/** Whether the database `d`, a row of `pg_database`, has that comment. */
export const isMarked = sql`
  coalesce(pg_catalog.shobj_description(d.oid, 'pg_database') = ${literal(MARK)}, false)`;

/** Whether its creation stopped right after {@link createMaintenance}. */
export const isHalfMade = sql`not d.datallowconn and d.datconnlimit = 0`;

const stateOfDatabase = sql`
select d.datallowconn as open, d.datconnlimit <> -1 as limited, ${isMarked} as marked, exists (
  select from pg_catalog.aclexplode(
    coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a where a.grantee = 0) as public
from pg_catalog.pg_database d where d.datname = $1::text`;

/**
 * Created from `template0`, so that nothing from `template1` is copied; closed until PUBLIC has no
 * CONNECT.
 */
export const createMaintenance = (plan: Maintained): Sql =>
  sql`create database ${nameOf(plan)} template template0 allow_connections false connection limit 0`;
export const markMaintenance = (plan: Maintained): Sql =>
  sql`comment on database ${nameOf(plan)} is ${literal(MARK)}`;
export const shutOutPublic = (plan: Maintained): Sql =>
  sql`revoke all on database ${nameOf(plan)} from public`;
export const openMaintenance = (plan: Maintained): Sql =>
  sql`alter database ${nameOf(plan)} allow_connections true connection limit -1`;

/**
 * Create the maintenance database, on a connection to any other database, or repair the existing
 * one, which the checks found to be Mayfly's.
 *
 * @returns `opened` if it existed and PUBLIC could connect, or nobody could.
 */
export async function makeMaintenanceDatabase(
  session: Session,
  plan: Maintained,
): Promise<"made" | "opened" | "left"> {
  const step = "create the maintenance database";
  const values = [plan.maintenanceDatabase];
  const read = () => session.rows<DatabaseState>(step, stateOfDatabase, values);
  const [found] = await read();
  if (found === undefined) await session.alone(step, createMaintenance(plan), CREATED_MEANWHILE);
  const [state] = found === undefined ? await read() : [found];
  const mark = state?.marked === true ? [] : [markMaintenance(plan)];
  const mends = [
    ...(state?.public === false ? [] : [shutOutPublic(plan)]),
    ...(state?.open === true && !state.limited ? [] : [openMaintenance(plan)]),
  ];
  await session.apply("shut PUBLIC out of the maintenance database", [...mark, ...mends]);
  if (found === undefined) return "made";
  return mends.length > 0 ? "opened" : "left";
}

interface DatabaseState {
  readonly open: boolean;
  readonly limited: boolean;
  readonly marked: boolean;
  readonly public: boolean;
}

/** On a connection to the maintenance database. */
export const emptyPublic = sql`revoke all on schema public from public`;

const mayCreateInPublic = sql`
select exists (
  select from pg_catalog.pg_namespace n,
    pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
  where n.nspname = 'public' and a.grantee = 0) as open,
  pg_catalog.pg_has_role(n.nspowner, 'USAGE') as ours
from pg_catalog.pg_namespace n where n.nspname = 'public'`;

/**
 * Revoke the schema `public` from everybody, on a connection to the maintenance database. Before
 * PostgreSQL 15 it belongs to the bootstrap superuser, so an administrator cannot revoke it.
 *
 * @returns `left` if it could not be revoked: then the issuer logins may create objects there,
 *   which Mayfly's connections never use.
 */
export async function emptyMaintenanceDatabase(
  session: Session,
): Promise<"empty" | "emptied" | "left"> {
  const step = "shut PUBLIC out of the schema public";
  const [state] = await session.rows<{ open: boolean; ours: boolean }>(step, mayCreateInPublic);
  if (state === undefined || !state.open) return "empty";
  if (!state.ours) return "left";
  await session.apply(step, [emptyPublic]);
  return "emptied";
}

const entrants = sql`
select g.rolname::text as name
from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
join pg_catalog.pg_roles g on g.oid = a.grantee
where d.datname = $1::text and a.privilege_type = 'CONNECT'`;

/** Let a role connect to the maintenance database. */
export const letIn = (plan: Maintained, login: string): Sql =>
  sql`grant connect on database ${nameOf(plan)} to ${ident(login)}`;

/**
 * Let only the issuer logins connect to the maintenance database.
 *
 * @returns the number of new grants.
 */
export async function admitIssuerLogins(
  session: Session,
  plan: Maintained,
  logins: readonly string[],
): Promise<number> {
  const step = "admit the issuer logins to the maintenance database";
  const missing = async () => {
    const admitted = await session.rows<{ name: string }>(step, entrants, [
      plan.maintenanceDatabase,
    ]);
    return logins.filter((login) => !admitted.some(({ name }) => name === login));
  };
  const shutOut = await missing();
  await session.apply(
    step,
    shutOut.map((login) => letIn(plan, login)),
  );
  refuseIf(
    (await missing()).map((login) => `${login} has no CONNECT on ${plan.maintenanceDatabase}`),
    `step "${step}" had no effect`,
  );
  return shutOut.length;
}
