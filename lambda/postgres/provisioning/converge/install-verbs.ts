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

/**
 * Other provisioners wait for this lock; verbs that read do not. The issuer logins may not take it.
 */
const alone = (tag: string): Sql =>
  sql`lock table ${ident(declaredSchema(tag))}.declared in share row exclusive mode`;

/** Create the table of grants, and delete grants that are not in the plan, in one transaction. */
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

/** Write the plan's grants to the table, after the groups have their privileges. */
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
    // a restored database has old bounds: delete them, and leases are counted again
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

/** `$1` roles. Those that the administrator cannot become at present. */
const foreignRoles = (server: number): Sql => sql`
select r.rolname::text as name from pg_catalog.pg_roles r
where r.rolname = any ($1::text[]) and not pg_catalog.pg_has_role(r.oid,
  ${server >= SPLIT_MEMBERSHIP ? sql`'SET'` : sql`'MEMBER'`})`;

/**
 * Install the verbs of one version: a schema, bodies owned by the owner of the database, and
 * wrappers owned by each issuer role. All or nothing; existing functions are replaced while callers
 * use them. The administrator is a member of an issuer role only during this.
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

/** Remove old verbs, except the previous version's: its bundle may still be in use. */
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

/**
 * The statements that remove everything of a tag from the maintenance database, so that its roles
 * can be dropped.
 */
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
 * Let the role that ends sessions see whose they are, if the administrator may grant that.
 * Otherwise it sees sessions of leases only, as a member of each lease.
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
