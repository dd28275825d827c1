import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../../core/provisioning/privileges.ts";
import type { Session } from "../../connection/session.ts";
import { type Sql, sql } from "../../connection/sql.ts";
import { matchingRelations } from "./relations.ts";

/** `$1` pairs of group role and schema as JSON, `$2` the owner. Only what is not granted by name. */
const schemaGaps = sql`
select w."groupRole" as "groupRole", w.schema,
  pg_catalog.has_schema_privilege($2::name, n.oid, 'USAGE WITH GRANT OPTION') as owner_grants,
  pg_catalog.has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION') as admin_grants
from pg_catalog.jsonb_to_recordset($1::jsonb) as w("groupRole" text, schema text)
join pg_catalog.pg_namespace n on n.nspname = w.schema
left join pg_catalog.pg_roles g on g.rolname = w."groupRole"
where not exists (select from pg_catalog.aclexplode(n.nspacl) a
  where a.grantee = g.oid and a.privilege_type = 'USAGE')`;

/** A schema on which a group has no USAGE of its own. */
export interface SchemaGap {
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
left join pg_catalog.pg_roles g on g.rolname = w."groupRole"
join pg_catalog.pg_roles o on o.rolname = $2::text
where w.name is null and not exists (
  select from pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) a
  where d.defaclrole = o.oid and d.defaclnamespace = n.oid
    and d.defaclobjtype = case w.kind when 'sequence' then 'S' else 'r' end::"char"
    and a.grantee = g.oid and a.privilege_type = w.privilege)`;

/**
 * The relations `c` on which a privilege `w` of `wanted`, a JSON list, is not granted by name to
 * its group `g`. More conditions may follow.
 */
export const missingOnRelations = (wanted: Sql): Sql => sql`${matchingRelations(wanted)}
left join pg_catalog.pg_roles g on g.rolname = w."groupRole"
where not exists (select from pg_catalog.aclexplode(c.relacl) a
  where a.grantee = g.oid and a.privilege_type = w.privilege)`;

/** Those relations, each with the missing privilege. */
export const relationGaps = (wanted: Sql): Sql => sql`
select w."groupRole" as "groupRole", w.kind, w.privilege, n.nspname::text as schema,
  c.relname::text as name
${missingOnRelations(wanted)}
order by 1, 2, 3, 4, 5`;

/**
 * The missing privileges of the groups in one database: everything for groups that do not exist
 * yet.
 */
export interface Gaps {
  readonly schemas: () => Promise<readonly SchemaGap[]>;
  readonly defaults: () => Promise<readonly WantedPrivilege[]>;
  readonly relations: () => Promise<readonly WantedPrivilege[]>;
}

/** Functions that read the gaps, on a connection to that database. `step` names the steps. */
export function gapsIn(
  session: Session,
  plan: ProvisionPlan,
  step: (what: string) => string,
): Gaps {
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const schemas = JSON.stringify(wantedSchemas(wanted));
  return {
    schemas: () => session.rows(step("read schema privileges"), schemaGaps, [schemas, plan.owner]),
    defaults: () => session.rows(step("read default privileges"), defaultGaps, [json, plan.owner]),
    relations: () => session.rows(step("read table privileges"), relationGaps(sql`$1`), [json]),
  };
}
