import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Login } from "../../connection/login.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { borrow } from "../borrow.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import { heldBy, newPassword } from "../converge/login-secrets.ts";
import { convergeLogin } from "../converge/logins.ts";
import { admitIssuerLogins } from "../converge/maintenance-database.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { LIMITS } from "../limits.ts";
import { issuerLoginsOf } from "../wanted-roles.ts";

/**
 * A working issuer login, even if an earlier removal has shut it, or its secret is gone: then it
 * gets a random password that is stored nowhere.
 *
 * @returns undefined if the role no longer exists; then there is no lease to revoke.
 */
export async function removalLogin(
  { secrets, issuerSecret }: Pick<ProvisionDeps, "secrets" | "issuerSecret">,
  { session, admin }: ClusterConnection,
  plan: ProvisionPlan,
  { shards, logins }: { readonly shards: readonly string[]; readonly logins: readonly string[] },
): Promise<Login | undefined> {
  const ours = issuerLoginsOf(plan).filter((name) => logins.includes(name));
  const [spare] = ours.toReversed();
  if (spare === undefined || shards.length === 0) return undefined;
  const held = [];
  // the functions use the current login; the other one has free connections
  for (const stage of ["AWSPREVIOUS", "AWSCURRENT"])
    held.push(...heldBy((await secrets.getSecret(issuerSecret, { stage }))?.value));
  const found = held.find(({ username }) => ours.includes(username)) ?? {
    username: spare,
    password: newPassword(),
  };
  const login = { ...admin, ...found, database: plan.maintenanceDatabase };
  await session.apply("open an issuer login", [sql`alter role ${ident(login.username)} login`]);
  await admitIssuerLogins(session, plan, [login.username]);
  await convergeLogin(session, login, LIMITS);
  return login;
}

/**
 * End every session of these logins, except the one with the given pid. The administrator may do so
 * as a temporary member of each login. The sessions are listed before any is signalled.
 */
export async function endOthers(
  { session, version }: Pick<ClusterConnection, "session" | "version">,
  logins: readonly string[],
  except: number,
): Promise<void> {
  const signalled = sql`with signalled as materialized (select pid from pg_catalog.pg_stat_activity
  where usename in (${joined(logins.map(literal), sql`, `)}) and pid <> ${integer(except)})
select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) as ended from signalled`;
  await session.apply("end the logins' sessions", borrow(logins, version, "inherit", [signalled]));
}

/**
 * The statements that remove the litter of logins from the maintenance database (large objects,
 * default privileges, and before PostgreSQL 15 objects in the schema public), so that they can be
 * dropped.
 */
export const dropLitter = (
  { version }: Pick<ClusterConnection, "version">,
  logins: readonly string[],
): readonly Sql[] =>
  logins.length === 0
    ? []
    : borrow(logins, version, "inherit", [
        sql`drop owned by ${joined(logins.map(ident), sql`, `)}`,
      ]);
