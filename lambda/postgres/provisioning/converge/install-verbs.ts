import { enderName } from "../../../../core/names.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import {
  declaredStatements,
  type Installation,
  installationStatements,
} from "../../leases/installation.ts";
import { declaredSchema, VERBS_VERSION, verbsSchema } from "../../leases/verbs.ts";
import { AS_ADMIN } from "../borrow.ts";
import { issuerLoginsOf, STATS_ROLE, shardsOf } from "../wanted-roles.ts";
import { AS_OWNER } from "./stamp-table.ts";

/** Another provisioner waits; a verb that reads does not. The issuer logins have no right to take it. */
const alone = (tag: string): Sql =>
  sql`lock table ${ident(declaredSchema(tag))}.declared in share row exclusive mode`;

/** Make the table of what may be issued, and take out of it what a plan does not have: at once. */
export async function withdrawDeclared(session: Session, plan: ProvisionPlan): Promise<void> {
  const kept = plan.grants.map(
    ({ role, consumer }) => sql`(${literal(role)}, ${literal(consumer)})`,
  );
  const gone =
    kept.length === 0 ? sql`true` : sql`(role, consumer) not in (${joined(kept, sql`, `)})`;
  await session.apply("withdraw what is not declared any more", [
    ...declaredStatements(plan.tag),
    alone(plan.tag),
    sql`delete from declared where ${gone}`,
  ]);
}

/** Say what may be issued, once the groups have their privileges. */
export async function declare(session: Session, plan: ProvisionPlan): Promise<void> {
  const [dbname = ""] = plan.databases;
  const rows = plan.grants.flatMap(({ consumer, role }) => {
    const declared = plan.roles[role];
    if (declared === undefined) return [];
    const { groupRole, ttlSeconds, maxTtlSeconds, maxLeases } = declared;
    const { maxLeasesPerConsumer, connectionLimit } = declared;
    const numbers = [ttlSeconds, maxTtlSeconds, maxLeases, maxLeasesPerConsumer, connectionLimit];
    const texts = [role, consumer, groupRole, dbname];
    return [sql`(${joined([...texts.map(literal), ...numbers.map(integer)], sql`, `)})`];
  });
  const columns = sql`role, consumer, group_role, dbname, ttl_seconds, max_ttl_seconds, max_leases,
    max_leases_per_consumer, connection_limit`;
  const table = sql`${ident(declaredSchema(plan.tag))}.declared`;
  await session.apply("declare what may be issued", [
    AS_OWNER,
    alone(plan.tag),
    // a database that was restored alone has bounds of then: without one, what there is is counted
    sql`delete from ${ident(declaredSchema(plan.tag))}.counted`,
    ...(rows.length === 0
      ? []
      : [
          sql`insert into ${table} (${columns}) values ${joined(rows, sql`, `)}
on conflict (role, consumer) do update set (group_role, dbname, ttl_seconds, max_ttl_seconds,
    max_leases, max_leases_per_consumer, connection_limit)
  = (excluded.group_role, excluded.dbname, excluded.ttl_seconds, excluded.max_ttl_seconds,
    excluded.max_leases, excluded.max_leases_per_consumer, excluded.connection_limit)`,
        ]),
  ]);
}

/** `$1` roles. Those that the administrator cannot become as it is. */
const foreignRoles = (server: number): Sql => sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where r.rolname = any ($1::text[]) and not pg_catalog.pg_has_role(r.oid,
  ${server >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`})`;

/**
 * Install the verbs of one version: its own schema, bodies that belong to the owner of the database, and
 * wrappers that belong to each issuer role. All of it, or nothing; what stands already is replaced under
 * the callers. The administrator is a member of an issuer role for no longer than that.
 */
export async function installVerbs(
  session: Session,
  plan: ProvisionPlan,
  server: number,
  version: number = VERBS_VERSION,
): Promise<void> {
  const { tag } = plan;
  const shards = shardsOf(plan);
  const installation: Installation = {
    tag,
    shards,
    logins: issuerLoginsOf(plan),
    server,
    version,
  };
  const step = "install the verbs";
  const owners = [enderName(tag), ...shards];
  const rows = await session.rows<{ name: string }>(step, foreignRoles(server), [owners]);
  const lent = new Set(rows.map(({ name }) => name));
  await session.apply(
    step,
    installationStatements(installation, (role) => lent.has(role)),
  );
}

/** The versions of a tag's verbs that are installed. */
export async function installedVersions(session: Session, tag: string): Promise<readonly number[]> {
  const rows = await session.rows<{ version: string }>(
    "look for the verbs",
    sql`select pg_catalog.substring(n.nspname::text, '_v([0-9]+)$') as version
from pg_catalog.pg_namespace n where n.nspname::text ~ $1`,
    [`^${declaredSchema(tag)}_v[0-9]+$`],
  );
  return rows.map(({ version }) => Number(version)).toSorted((a, b) => a - b);
}

/** Remove the verbs of versions before the one before: a bundle of that one may still be in use. */
export async function removeOldVerbs(
  session: Session,
  tag: string,
  current: number = VERBS_VERSION,
): Promise<void> {
  const installed = await installedVersions(session, tag);
  const [before] = installed.filter((version) => version < current).slice(-1);
  const old = installed.filter((version) => version < (before ?? current));
  const schemas = old.map((version) => verbsSchema(tag, version));
  await session.apply("remove old verbs", dropping(schemas));
}

/** What removes all that a tag has in the maintenance database, so that its roles can be dropped. */
export async function removal(session: Session, tag: string): Promise<readonly Sql[]> {
  const installed = await installedVersions(session, tag);
  return dropping([...installed.map((version) => verbsSchema(tag, version)), declaredSchema(tag)]);
}

const dropping = (schemas: readonly string[]): readonly Sql[] =>
  schemas.length === 0
    ? []
    : [
        AS_OWNER,
        sql`drop schema if exists ${joined(schemas.map(ident), sql`, `)} cascade`,
        AS_ADMIN,
      ];

/**
 * Let the role that ends sessions see whose they are, where the administrator may grant that; where it
 * may not, it sees those of leases, as a member of each.
 */
export async function letSeeSessions(session: Session, tag: string): Promise<void> {
  const step = "let the ender see sessions";
  const grant = sql`grant ${ident(STATS_ROLE)} to ${ident(enderName(tag))}`;
  const [held] = await session.rows<{ has: boolean }>(
    step,
    sql`select pg_catalog.pg_has_role($1::name, $2::name, 'USAGE') as has`,
    [enderName(tag), STATS_ROLE],
  );
  if (held?.has !== true && (await session.permits(step, [grant])))
    await session.apply(step, [grant]);
}
