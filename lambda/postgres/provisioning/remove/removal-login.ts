import { MAINTENANCE_DATABASE } from "../../../../core/names.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { issuerLoginsOf, SIGNAL_ROLE } from "../../../../core/provisioning/roles.ts";
import type { Login } from "../../connection/login.ts";
import type { Maintenance } from "../../connection/maintenance.ts";
import { ident, joined, literal, sql } from "../../connection/sql.ts";
import type { Ground } from "../converge/converge-grants.ts";
import { heldBy, newPassword } from "../converge/login-secrets.ts";
import { convergeLogin } from "../converge/logins.ts";
import { admitIssuerLogins } from "../converge/maintenance-database.ts";
import { LIMITS, type ProvisionDeps } from "../dependencies.ts";

/**
 * An issuer login that works, also where an earlier removal has shut it, or its secret is gone: then
 * it gets a password that nobody else ever knows.
 *
 * @returns `undefined` when there is no such role any more, and so no lease that it could revoke.
 */
export async function removalLogin(
  { secrets, issuerSecret }: Pick<ProvisionDeps, "secrets" | "issuerSecret">,
  { session, admin }: Ground,
  plan: ProvisionPlan,
  { shards, logins }: { readonly shards: readonly string[]; readonly logins: readonly string[] },
): Promise<Login | undefined> {
  const ours = issuerLoginsOf(plan).filter((name) => logins.includes(name));
  const [spare] = ours.toReversed();
  if (spare === undefined || shards.length === 0) return undefined;
  const held = [];
  // the functions hold the current one; the other has connections to spare
  for (const stage of ["AWSPREVIOUS", "AWSCURRENT"])
    held.push(...heldBy((await secrets.getSecret(issuerSecret, { stage }))?.value));
  const found = held.find(({ username }) => ours.includes(username)) ?? {
    username: spare,
    password: newPassword(),
  };
  const login = { ...admin, ...found, database: MAINTENANCE_DATABASE };
  await session.apply("open an issuer login", [sql`alter role ${ident(login.username)} login`]);
  await admitIssuerLogins(session, [login.username]);
  await convergeLogin(session, login, LIMITS, [...shards, SIGNAL_ROLE]);
  return login;
}

/** End every session of these logins but the one that asks. They are looked up before any is told. */
export async function endOthers(
  maintenance: Pick<Maintenance, "query">,
  logins: readonly string[],
): Promise<void> {
  const names = joined(logins.map(literal), sql`, `);
  await maintenance.query(
    "end the logins' sessions",
    sql`set local role ${ident(SIGNAL_ROLE)};
with told as materialized (select pid from pg_catalog.pg_stat_activity
  where usename in (${names}) and pid <> pg_catalog.pg_backend_pid())
select pg_catalog.count(*) filter (where pg_catalog.pg_terminate_backend(pid)) as ended from told`,
  );
}
