import type { ProvisionPlan } from "../../../core/provision-plan.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../core/provision-privileges.ts";
import { ident, type Sql, sql } from "../sql.ts";
import { listed, refuseIf, someOf } from "./problems.ts";
import { holds, matchingRelations } from "./relations.ts";
import type { Session } from "./session.ts";

const KEYWORDS: Readonly<Record<string, Sql>> = {
  SELECT: sql`select`,
  INSERT: sql`insert`,
  UPDATE: sql`update`,
  DELETE: sql`delete`,
  USAGE: sql`usage`,
};

function keyword(privilege: string): Sql {
  const word = KEYWORDS[privilege];
  if (word === undefined) throw new RangeError(`${privilege} is no privilege`);
  return word;
}

/** `$1` pairs of group role and schema as JSON, `$2` the owner. Only what is not granted by name. */
const schemaGaps = sql`
select w."groupRole" as "groupRole", w.schema,
  pg_catalog.has_schema_privilege($2::name, n.oid, 'USAGE WITH GRANT OPTION') as owner_grants,
  pg_catalog.has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION') as admin_grants
from pg_catalog.jsonb_to_recordset($1::jsonb) as w("groupRole" text, schema text)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_roles g on g.rolname = w."groupRole"
where not exists (select from pg_catalog.aclexplode(n.nspacl) a
  where a.grantee = g.oid and a.privilege_type = 'USAGE')`;

interface SchemaGap {
  readonly groupRole: string;
  readonly schema: string;
  readonly owner_grants: boolean;
  readonly admin_grants: boolean;
}

/** `$1` wanted privileges as JSON. Only what is not granted by name. */
const relationGaps = sql`
select w."groupRole" as "groupRole", w.kind, w.privilege, n.nspname::text as schema,
  c.relname::text as name
${matchingRelations}
join pg_catalog.pg_roles g on g.rolname = w."groupRole"
where not exists (select from pg_catalog.aclexplode(c.relacl) a
  where a.grantee = g.oid and a.privilege_type = w.privilege)
order by 1, 2, 3, 4, 5`;

/** `$1` wanted privileges as JSON. What a group role cannot do all the same. */
const ineffective = sql`
select w."groupRole" || ' has no ' || w.privilege || ' on ' || n.nspname || '.' || c.relname as gap
${matchingRelations}
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
 * Give the group roles what they are to have in one application database, and prove by the
 * *effective* privilege that they have it.
 *
 * Everything runs as the owner, since this connection may create roles and the database's own
 * functions are not to run with that power; but for schemas that only the admin can open.
 *
 * @throws ConfigError naming each privilege that is missing afterwards.
 */
export async function grantPrivileges(
  session: Session,
  database: string,
  plan: ProvisionPlan,
): Promise<void> {
  const asOwner = sql`set local role ${ident(plan.owner)}`;
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const step = (what: string): string => `${what} in database ${database}`;

  const gaps = await session.rows<SchemaGap>(step("read schema privileges"), schemaGaps, [
    JSON.stringify(wantedSchemas(wanted)),
    plan.owner,
  ]);
  const enter = ({ groupRole, schema }: SchemaGap): Sql =>
    sql`grant usage on schema ${ident(schema)} to ${ident(groupRole)}`;
  const byOwner = gaps.filter((gap) => gap.owner_grants);
  const byAdmin = gaps.filter((gap) => !gap.owner_grants && gap.admin_grants);
  await session.apply(step("grant USAGE on schemas"), [
    ...byAdmin.map(enter),
    asOwner,
    ...byOwner.map(enter),
  ]);
  // Committed before the tables are listed, so that none made meanwhile falls between the two.
  await session.apply(step("set default privileges"), [asOwner, ...defaultPrivileges(wanted)]);
  const rest = await session.rows<WantedPrivilege>(step("read table privileges"), relationGaps, [
    json,
  ]);
  if (rest.length > 0)
    await session.apply(step("grant on tables and sequences"), [asOwner, ...relationGrants(rest)]);
  const left = await session.rows<{ gap: string }>(step("verify privileges"), ineffective, [json]);
  refuseIf(
    left.length === 0 ? [] : [someOf(left.map(({ gap }) => gap))],
    `the privileges in database "${database}" had no effect; have a DBA grant them with GRANT OPTION to "${plan.owner}", then deploy again`,
  );
}

function defaultPrivileges(wanted: readonly WantedPrivilege[]): readonly Sql[] {
  return wanted
    .filter(({ name }) => name === null)
    .map(({ groupRole, kind, privilege, schema }) => {
      const objects = kind === "sequence" ? sql`sequences` : sql`tables`;
      return sql`alter default privileges in schema ${ident(schema)} grant ${keyword(privilege)} on ${objects} to ${ident(groupRole)}`;
    });
}

function relationGrants(gaps: readonly WantedPrivilege[]): readonly Sql[] {
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
