import { MAINTENANCE_DATABASE } from "../../../core/names.ts";
import { ident, type Sql, sql } from "../sql.ts";
import { refuseIf } from "./problems.ts";
import type { Session } from "./session.ts";

const database = ident(MAINTENANCE_DATABASE);

const stateOfDatabase = sql`
select d.datallowconn as open, exists (
  select from pg_catalog.aclexplode(
    coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a where a.grantee = 0) as public
from pg_catalog.pg_database d where d.datname = $1::text`;

/** From `template0`, so that nothing in `template1` comes along; closed until PUBLIC is shut out. */
const create = sql`create database ${database} template template0 allow_connections false`;
const shutOutPublic = sql`revoke all on database ${database} from public`;
const open = sql`alter database ${database} allow_connections true`;

/** `42P04`, `23505`: another stack on this cluster created it at this moment. */
const CREATED_MEANWHILE = new Set(["42P04", "23505"]);

/** Make the maintenance database, on a connection to any other database. */
export async function makeMaintenanceDatabase(session: Session): Promise<void> {
  const step = "create the maintenance database";
  const read = () =>
    session.rows<{ open: boolean; public: boolean }>(step, stateOfDatabase, [MAINTENANCE_DATABASE]);
  let [state] = await read();
  if (state === undefined) {
    await session.alone(step, create, CREATED_MEANWHILE);
    [state] = await read();
  }
  await session.apply("shut PUBLIC out of the maintenance database", [
    ...(state?.public === false ? [] : [shutOutPublic]),
    ...(state?.open === true ? [] : [open]),
  ]);
}

const mayCreateInPublic = sql`
select exists (
  select from pg_catalog.pg_namespace n,
    pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
  where n.nspname = 'public' and a.grantee = 0) as open,
  pg_catalog.pg_has_role(n.nspowner, 'USAGE') as ours
from pg_catalog.pg_namespace n where n.nspname = 'public'`;

/**
 * Take `public` from everyone, on a connection to the maintenance database. Before PostgreSQL 15
 * it belongs to the bootstrap superuser, whom no admin can overrule.
 *
 * @returns false when it could not be taken: the issuer logins may then create objects there, which
 *   no connection of Mayfly's ever looks up.
 */
export async function emptyMaintenanceDatabase(session: Session): Promise<boolean> {
  const step = "shut PUBLIC out of the schema public";
  const [state] = await session.rows<{ open: boolean; ours: boolean }>(step, mayCreateInPublic);
  if (state === undefined || !state.open) return true;
  if (!state.ours) return false;
  await session.apply(step, [sql`revoke all on schema public from public`]);
  return true;
}

const entrants = sql`
select g.rolname::text as name
from pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
join pg_catalog.pg_roles g on g.oid = a.grantee
where d.datname = $1::text and a.privilege_type = 'CONNECT'`;

const letIn = (login: string): Sql => sql`grant connect on database ${database} to ${ident(login)}`;

/** Let the issuer logins, and nobody else, into the maintenance database. */
export async function admitIssuerLogins(
  session: Session,
  logins: readonly string[],
): Promise<void> {
  const step = "admit the issuer logins to the maintenance database";
  const missing = async () => {
    const admitted = await session.rows<{ name: string }>(step, entrants, [MAINTENANCE_DATABASE]);
    return logins.filter((login) => !admitted.some(({ name }) => name === login));
  };
  await session.apply(step, (await missing()).map(letIn));
  refuseIf(
    (await missing()).map((login) => `${login} has no CONNECT on ${MAINTENANCE_DATABASE}`),
    `step "${step}" had no effect`,
  );
}
