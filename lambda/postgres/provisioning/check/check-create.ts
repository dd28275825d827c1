import type { PlannedRole, ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedPrivileges, wantedSchemas } from "../../../../core/provisioning/privileges.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";
import { as, problem, someOf } from "./problems.ts";

/**
 * `$1` the owner. Schemas in which everybody may create objects. All schemas count: a lease can
 * leave objects in any of them.
 */
const openSchemas = sql`
select n.nspname::text as schema, b.rolname::text as grantor, a.grantor = n.nspowner as by_owner,
  exists (select from pg_catalog.aclexplode(n.nspacl) x
    where x.grantee = o.oid and x.privilege_type = 'CREATE')
    or pg_catalog.pg_has_role(o.oid, n.nspowner, 'USAGE') as owner_creates
from pg_catalog.pg_namespace n
cross join pg_catalog.aclexplode(n.nspacl) a
join pg_catalog.pg_roles b on b.oid = a.grantor
join pg_catalog.pg_roles o on o.rolname = $1::text
where a.grantee = 0 and a.privilege_type = 'CREATE'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
order by 1`;

/**
 * `$1` pairs of group and schema as JSON. Groups that may create objects in a schema through a
 * membership.
 */
const inherited = (split: boolean): Sql => sql`
select g.rolname::text as "group", r.rolname::text as role, b.rolname::text as grantor,
  pg_catalog.string_agg(n.nspname, ', ' order by n.nspname) as schemas
from pg_catalog.jsonb_to_recordset($1::jsonb) as w ("groupRole" text, schema text)
join pg_catalog.pg_roles g on g.rolname = w."groupRole"
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_auth_members m on m.member = g.oid
join pg_catalog.pg_roles r on r.oid = m.roleid
left join pg_catalog.pg_roles b on b.oid = m.grantor
where ${split ? sql`m.inherit_option and` : sql``} pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')
  and not pg_catalog.has_schema_privilege('public', n.oid, 'CREATE')
group by 1, 2, 3
order by 1, 2, 3`;

/** `$1` groups. Whether they may create schemas in this database, and objects in them. */
const openDatabase = sql`
select d.datname::text as database, case when a.grantee = 0 then 'public' else g.rolname::text end as grantee,
  b.rolname::text as grantor, a.grantor = d.datdba as by_owner
from pg_catalog.pg_database d
cross join pg_catalog.aclexplode(d.datacl) a
join pg_catalog.pg_roles b on b.oid = a.grantor
left join pg_catalog.pg_roles g on g.oid = a.grantee
where d.datname = pg_catalog.current_database() and a.privilege_type = 'CREATE'
  and (a.grantee = 0 or g.rolname = any ($1::text[]))
order by 1, 2`;

interface OpenDatabase {
  readonly database: string;
  readonly grantee: string;
  readonly grantor: string;
  readonly by_owner: boolean;
}

interface OpenSchema {
  readonly schema: string;
  readonly grantor: string;
  readonly by_owner: boolean;
  /** The owner has this privilege by itself. */
  readonly owner_creates: boolean;
}

interface Inherited {
  readonly group: string;
  readonly role: string;
  readonly grantor: string | null;
  readonly schemas: string;
}

const writes = ({ privileges }: PlannedRole): boolean =>
  [privileges.insert, privileges.update, privileges.delete].some((each) => each !== undefined);

/**
 * Find where leases that write could create objects. A function that a lease leaves, owned by its
 * group, gives its callers the group's privileges for good. Privileges that were granted to the
 * group itself are withdrawn anyway.
 */
export async function createProblems(
  session: Session,
  step: string,
  plan: ProvisionPlan,
  version: number,
): Promise<readonly string[]> {
  const roles = Object.entries(plan.roles).filter(
    ([, role]) => writes(role) && role.allowCreate !== true,
  );
  const schemas = wantedSchemas(wantedPrivileges({ ...plan, roles: Object.fromEntries(roles) }));
  if (schemas.length === 0) return [];
  const json = JSON.stringify(schemas);
  const open = await session.rows<OpenSchema>(step, openSchemas, [plan.owner]);
  const members = await session.rows<Inherited>(step, inherited(version >= SPLIT_MEMBERSHIP), [
    json,
  ]);
  const doors = await session.rows<OpenDatabase>(step, openDatabase, [
    roles.map(([, { groupRole }]) => groupRole),
  ]);
  const names = roles.map(([name]) => JSON.stringify(name)).join(", ");
  const instead = `or say allowCreate: true of the role${roles.length > 1 ? "s" : ""} ${names}`;
  return [
    ...doors.map((each) => `${problem(doorText(each), shutting(each))} ${instead}`),
    ...open.map((each) => `${problem(openText(each), closing(each, plan.owner))} ${instead}`),
    ...members.map((each) => `${problem(memberText(each), leaving(each, version))} ${instead}`),
  ];
}

const granteeOf = ({ grantee }: OpenDatabase): Sql =>
  grantee === "public" ? sql`PUBLIC` : ident(grantee);

const doorText = (each: OpenDatabase): string =>
  `${granteeOf(each)} may create schemas in the database, and so may the leases of a role that writes; a function that one leaves there can lend its privileges to others`;

const shutting = (each: OpenDatabase): Sql => {
  const revoke = sql`REVOKE CREATE ON DATABASE ${ident(each.database)} FROM ${granteeOf(each)}`;
  return each.by_owner ? revoke : as(each.grantor, revoke);
};

const openText = ({ schema }: OpenSchema): string =>
  `everybody may create objects in the schema ${ident(schema)}, and a function that a lease leaves there can lend its privileges to others; before that, grant CREATE to every other role that makes tables there`;

/** The owner keeps its privileges, or its migrations would fail. */
function closing({ schema, grantor, by_owner, owner_creates }: OpenSchema, owner: string): Sql {
  const name = ident(schema);
  const revoke = sql`REVOKE CREATE ON SCHEMA ${name} FROM PUBLIC`;
  return joined(
    [
      ...(owner_creates ? [] : [sql`GRANT CREATE ON SCHEMA ${name} TO ${ident(owner)}`]),
      by_owner ? revoke : as(grantor, revoke),
    ],
    sql`; `,
  );
}

const memberText = ({ group, role, schemas }: Inherited): string =>
  `the group ${ident(group)} is a member of ${ident(role)}, and so its leases may create objects in ${someOf([schemas])}`;

const leaving = ({ group, role, grantor }: Inherited, version: number): Sql =>
  sql`REVOKE ${ident(role)} FROM ${ident(group)}${
    version >= SPLIT_MEMBERSHIP && grantor !== null ? sql` GRANTED BY ${ident(grantor)}` : sql``
  }`;
