import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../core/provisioning/privileges.ts";
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

/** `$1` wanted privileges as JSON, `$2` the owner. Only defaults that are not set. */
const defaultGaps = sql`
select w.*
from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_roles g on g.rolname = w."groupRole"
join pg_catalog.pg_roles o on o.rolname = $2::text
where w.name is null and not exists (
  select from pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) a
  where d.defaclrole = o.oid and d.defaclnamespace = n.oid
    and d.defaclobjtype = case w.kind when 'sequence' then 'S' else 'r' end::"char"
    and a.grantee = g.oid and a.privilege_type = w.privilege)`;

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
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const step = (what: string): string => `${what} in database ${database}`;
  const asOwner = (what: string, statements: readonly Sql[]): Promise<void> =>
    session.apply(
      step(what),
      statements.length === 0 ? [] : [sql`set local role ${ident(plan.owner)}`, ...statements],
    );

  const doors = await session.rows<SchemaGap>(step("read schema privileges"), schemaGaps, [
    JSON.stringify(wantedSchemas(wanted)),
    plan.owner,
  ]);
  const byAdmin = doors.filter((gap) => !gap.owner_grants && gap.admin_grants);
  await asOwner("grant USAGE on schemas", doors.filter((gap) => gap.owner_grants).map(enter));
  await session.apply(step("grant USAGE on schemas"), byAdmin.map(enter));
  const readDefaults = () =>
    session.rows<WantedPrivilege>(step("read default privileges"), defaultGaps, [json, plan.owner]);
  // Committed before the tables are listed, so that none made meanwhile falls between the two.
  await asOwner("set default privileges", (await readDefaults()).map(byDefault));
  const relations = await session.rows<WantedPrivilege>(
    step("read table privileges"),
    relationGaps,
    [json],
  );
  await asOwner("grant on tables and sequences", relationGrants(relations));

  const left = await session.rows<{ gap: string }>(step("verify privileges"), ineffective, [json]);
  const unset = (await readDefaults()).map(
    ({ groupRole, privilege, schema }) =>
      `${groupRole} has no default ${privilege} in schema ${schema}`,
  );
  const missing = [...left.map(({ gap }) => gap), ...unset];
  refuseIf(
    missing.length === 0 ? [] : [someOf(missing)],
    `the privileges in database "${database}" had no effect; have a DBA grant them with GRANT OPTION to "${plan.owner}", then deploy again`,
  );
}

const enter = ({ groupRole, schema }: SchemaGap): Sql =>
  sql`grant usage on schema ${ident(schema)} to ${ident(groupRole)}`;

function byDefault({ groupRole, kind, privilege, schema }: WantedPrivilege): Sql {
  const objects = kind === "sequence" ? sql`sequences` : sql`tables`;
  return sql`alter default privileges in schema ${ident(schema)} grant ${keyword(privilege)} on ${objects} to ${ident(groupRole)}`;
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
