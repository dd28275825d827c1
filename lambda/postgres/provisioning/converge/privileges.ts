import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
} from "../../../../core/provisioning/privileges.ts";
import type { Session } from "../../connection/session.ts";
import { ident, type Sql, sql } from "../../connection/sql.ts";
import { become } from "../borrow.ts";
import { listed, refuseIf, someOf } from "../check/problems.ts";
import { gapsIn, type SchemaGap } from "./gaps.ts";
import { holds, matchingRelations } from "./relations.ts";

const KEYWORDS: Readonly<Record<string, Sql>> = {
  SELECT: sql`select`,
  INSERT: sql`insert`,
  UPDATE: sql`update`,
  DELETE: sql`delete`,
  USAGE: sql`usage`,
};

/** A privilege as an SQL keyword. @throws RangeError for an unknown privilege. */
export function keyword(privilege: string): Sql {
  const word = KEYWORDS[privilege];
  if (word === undefined) throw new RangeError(`${privilege} is no privilege`);
  return word;
}

/** `$1` wanted privileges as JSON. Returns those that a group role still does not have. */
const ineffective = sql`
select w."groupRole" || ' has no ' || w.privilege || ' on ' || n.nspname || '.' || c.relname as gap
${matchingRelations(sql`$1`)}
where not ${holds(sql`w."groupRole"`, false)}
union all
select distinct w."groupRole" || ' has no USAGE on schema ' || w.schema
from pg_catalog.jsonb_to_recordset($1::jsonb) as w("groupRole" text, schema text)
where not pg_catalog.has_schema_privilege(w."groupRole"::name, w.schema, 'USAGE')
union all
select distinct w."groupRole" || ' has no CONNECT on database ' || pg_catalog.current_database()
from pg_catalog.jsonb_to_recordset($1::jsonb) as w("groupRole" text)
where not pg_catalog.has_database_privilege(
  w."groupRole"::name, pg_catalog.current_database(), 'CONNECT')
order by 1`;

/**
 * Grant the group roles their privileges in one application database, and prove by the *effective*
 * privileges that they have them.
 *
 * Everything runs as the owner: this connection may create roles, and the database's own functions
 * must not run with that power. Exception: schemas on which only the administrator can grant USAGE.
 *
 * @returns how many were granted.
 * @throws ConfigError with each privilege that is missing afterwards.
 */
export async function grantPrivileges(
  session: Session,
  database: string,
  plan: ProvisionPlan,
): Promise<number> {
  const step = (what: string): string => `${what} in database ${database}`;
  const gaps = gapsIn(session, plan, step);
  const asOwner = (what: string, statements: readonly Sql[]): Promise<void> =>
    session.apply(
      step(what),
      statements.length === 0 ? [] : [sql`set local role ${ident(plan.owner)}`, ...statements],
    );

  const { byOwner, byAdmin } = enteringBy(await gaps.schemas());
  await asOwner("grant USAGE on schemas", byOwner.map(enter));
  await session.apply(step("grant USAGE on schemas"), byAdmin.map(enter));
  const defaults = await gaps.defaults();
  // Committed before the tables are listed, so that tables created meanwhile are covered.
  await asOwner(
    "set default privileges",
    defaults.map((each) => byDefault(each)),
  );
  const relations = await gaps.relations();
  await asOwner("grant on tables and sequences", relationGrants(relations));
  await verify(session, database, plan);
  return byOwner.length + byAdmin.length + defaults.length + relations.length;
}

const enteringBy = (doors: readonly SchemaGap[]) => ({
  byOwner: doors.filter((gap) => gap.owner_grants),
  byAdmin: doors.filter((gap) => !gap.owner_grants && gap.admin_grants),
});

/** Everything that {@link grantPrivileges} would grant, and the grantors. */
export function grantsOf(
  owner: string,
  gaps: {
    readonly doors: readonly SchemaGap[];
    readonly defaults: readonly WantedPrivilege[];
    readonly relations: readonly WantedPrivilege[];
  },
): { readonly byAdmin: readonly Sql[]; readonly byOwner: readonly Sql[] } {
  const { byOwner, byAdmin } = enteringBy(gaps.doors);
  const asOwner = [
    ...byOwner.map(enter),
    ...gaps.defaults.map((each) => byDefault(each)),
    ...relationGrants(gaps.relations),
  ];
  return {
    byAdmin: byAdmin.map(enter),
    byOwner: asOwner.length === 0 ? [] : [become(owner), ...asOwner],
  };
}

async function verify(session: Session, database: string, plan: ProvisionPlan): Promise<void> {
  const step = (what: string): string => `${what} in database ${database}`;
  const json = JSON.stringify(wantedPrivileges(plan));
  const left = await session.rows<{ gap: string }>(step("verify privileges"), ineffective, [json]);
  const unset = (await gapsIn(session, plan, step).defaults()).map(
    ({ groupRole, privilege, schema }) =>
      `${groupRole} has no default ${privilege} in schema ${schema}`,
  );
  const missing = [...left.map(({ gap }) => gap), ...unset];
  refuseIf(
    missing.length === 0 ? [] : [someOf(missing)],
    `the privileges in database "${database}" had no effect; have a DBA grant them with GRANT OPTION to "${plan.owner}", then deploy again`,
  );
}

/** Grant a group USAGE on a schema. */
export const enter = ({ groupRole, schema }: Pick<SchemaGap, "groupRole" | "schema">): Sql =>
  sql`grant usage on schema ${ident(schema)} to ${ident(groupRole)}`;

/** Grant a group a privilege on future objects of `owner`; without `owner`, of the current role. */
export function byDefault(
  { groupRole, kind, privilege, schema }: WantedPrivilege,
  owner?: string,
): Sql {
  const objects = kind === "sequence" ? sql`sequences` : sql`tables`;
  const of = owner === undefined ? sql`` : sql`for role ${ident(owner)} `;
  return sql`alter default privileges ${of}in schema ${ident(schema)} grant ${keyword(privilege)} on ${objects} to ${ident(groupRole)}`;
}

/** Grant privileges on relations; one statement for each group and privilege. */
export function relationGrants(gaps: readonly WantedPrivilege[]): readonly Sql[] {
  const alike = Map.groupBy(gaps, ({ groupRole, kind, privilege }) =>
    [groupRole, kind, privilege].join(" "),
  );
  return [...alike.values()].flatMap((relations) => {
    const [first] = relations;
    if (first === undefined) return [];
    const names = relations.map(({ schema, name }) => sql`${ident(schema)}.${ident(name ?? "")}`);
    const objects = first.kind === "sequence" ? sql`sequence` : sql`table`;
    return [
      sql`grant ${keyword(first.privilege)} on ${objects} ${listed(names)} to ${ident(first.groupRole)}`,
    ];
  });
}
