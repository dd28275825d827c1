import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Session } from "../../connection/session.ts";
import { ident, joined, literal, sql } from "../../connection/sql.ts";
import { resetSettings } from "../../rotation/role-settings.ts";
import { borrow } from "../borrow.ts";
import { issuerLoginsOf } from "../wanted-roles.ts";

/**
 * `$1` logins. Their prepared transactions in this database, which keep locks without a session.
 */
const prepared = sql`
select p.owner::text as login, p.gid from pg_catalog.pg_prepared_xacts p
where p.owner = any ($1::text[]) and p.database = pg_catalog.current_database()`;

/**
 * `$1` logins. Those that own something in this database, where they should own nothing. An array
 * lets the planner use the index of pg_shdepend, which every lease on the server makes longer.
 */
const owners = sql`
select distinct r.rolname::text as login from pg_catalog.pg_shdepend s
join pg_catalog.pg_roles r on r.oid = s.refobjid
where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass and s.deptype = 'o'
  and s.refobjid = any (array(
    select oid from pg_catalog.pg_roles where rolname = any ($1::text[])))
  and s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())`;

/**
 * Remove what a holder of an issuer login's password may have left: settings of the login, which
 * survive a rotation; prepared transactions, whose locks survive sessions; large objects and
 * default privileges, which may name a lease and block its DROP.
 *
 * @returns whether such objects were dropped, and with them the logins' grants in this database.
 */
export async function clearLogins(
  session: Session,
  plan: ProvisionPlan,
  server: number,
): Promise<boolean> {
  const step = "clear what the issuer logins left";
  const logins = issuerLoginsOf(plan);
  await resetSettings(session, step, logins);
  // ROLLBACK PREPARED cannot run in a transaction; DROP OWNED warns about grants of issuer roles
  const left = await session.rows<{ login: string; gid: string }>(step, prepared, [logins]);
  for (const { login, gid } of left)
    await asMember(session, [login], { server, use: "set" }, async () => {
      await session.rows(step, sql`set role ${ident(login)}`);
      await session.rows(step, sql`rollback prepared ${literal(gid)}`);
    });
  const found = await session.rows<{ login: string }>(step, owners, [logins]);
  const names = found.map(({ login }) => login);
  if (names.length === 0) return false;
  await asMember(session, names, { server, use: "inherit" }, async () => {
    await session.rows(step, sql`drop owned by ${joined(names.map(ident), sql`, `)}`);
  });
  return true;
}

/** Do something as a member of roles, for statements that cannot share a transaction. */
async function asMember(
  session: Session,
  roles: readonly string[],
  { server, use }: { readonly server: number; readonly use: "set" | "inherit" },
  work: () => Promise<void>,
): Promise<void> {
  const step = "borrow a login";
  const statements = borrow(roles, server, use, []);
  await session.apply(step, statements.slice(0, 1));
  try {
    await work();
  } finally {
    await session.rows(step, sql`set role none`);
    await session.apply(step, statements.slice(-1));
  }
}
