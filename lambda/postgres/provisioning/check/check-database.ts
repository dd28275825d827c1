import { parseLeaseName } from "../../../../core/leases/lease-name.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../../core/provisioning/privileges.ts";
import { type Session, SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, joined, type Sql, sql } from "../../connection/sql.ts";
import { connectGapsIn, needsOwner } from "../converge/connect.ts";
import { type Gaps, gapsIn, missingOnRelations } from "../converge/gaps.ts";
import { unwantedIn } from "../converge/grant-entries.ts";
import { keyword } from "../converge/privileges.ts";
import { holds, isOfLeases } from "../converge/relations.ts";
import { leftovers } from "../remove/withdraw.ts";
import type { ClusterFindings } from "./check-cluster.ts";
import { createProblems } from "./check-create.ts";
import { membershipProblem } from "./cluster-problems.ts";
import { isHidden, listed, NAMED_AT_MOST, problem, someOf } from "./problems.ts";

interface SchemaFacts {
  readonly name: string;
  readonly exists: boolean;
  /** The owner may use the schema; otherwise it could not name its tables. */
  readonly owner_enters: boolean | null;
  /** Somebody can grant USAGE to the groups, or everybody has it. */
  readonly grantable: boolean | null;
}

/** `$1` schema names, `$2` the owner. */
const schemaFacts = sql`
select w.name, n.oid is not null as exists,
  pg_catalog.has_schema_privilege($2::name, n.oid, 'USAGE') as owner_enters,
  pg_catalog.has_schema_privilege($2::name, n.oid, 'USAGE WITH GRANT OPTION')
    or pg_catalog.has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
    or pg_catalog.has_schema_privilege('public', n.oid, 'USAGE') as grantable
from pg_catalog.unnest($1::text[]) as w(name)
left join pg_catalog.pg_namespace n on n.nspname = w.name`;

interface Ungrantable {
  readonly kind: "table" | "sequence";
  readonly schema: string;
  readonly name: string;
  readonly owner: string;
  /** Of `pg_class`. */
  readonly relkind: string;
  readonly privileges: readonly string[];
  /** Only `schema.*` in the configuration covers it. */
  readonly patterned: boolean;
}

/** `$1` wanted privileges as JSON, `$2` the owner. Tables first: a serial column's sequence follows its table. */
const ungrantable = sql`
select w.kind, n.nspname::text as schema, c.relname::text as name,
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner, c.relkind::text as relkind,
  pg_catalog.array_agg(distinct w.privilege) as privileges, pg_catalog.bool_and(w.name is null) as patterned
${missingOnRelations(sql`$1`)}
  and not ${holds(sql`$2`, true)}
group by w.kind, n.nspname, c.relname, c.relowner, c.relkind
order by w.kind desc, n.nspname, c.relname`;

export type Absent = Pick<WantedPrivilege, "kind" | "schema" | "name">;

/** `$1` wanted privileges as JSON. Returns those whose relation does not exist. */
export const absent = sql`
select distinct w.kind, w.schema, w.name
from pg_catalog.jsonb_to_recordset($1::jsonb) as w(kind text, schema text, name text)
join pg_catalog.pg_namespace s on s.nspname = w.schema
where w.name is not null and not exists (
  select from pg_catalog.pg_class c
  where c.relnamespace = s.oid and c.relname = w.name and (c.relkind = 'S') = (w.kind = 'sequence')
    and c.relkind = any (array['r', 'p', 'v', 'm', 'f', 'S']::"char"[]))`;

/** Check one application database. Changes nothing. */
export async function checkDatabase(
  session: Session,
  database: string,
  plan: ProvisionPlan,
  found: Pick<ClusterFindings, "version" | "admin" | "ownerMember">,
): Promise<readonly string[]> {
  const step = `check database ${database}`;
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const missing = await session.rows<Absent>(step, absent, [json]);
  const foreign = await session.rows<Ungrantable>(step, ungrantable, [json, plan.owner]);
  const unwanted = await unwantedIn(session, found.version, [json, plan.tag, plan.owner]);
  const schemas = await session.rows<SchemaFacts>(step, schemaFacts, [
    [...new Set(wantedSchemas(wanted).map(({ schema }) => schema))],
    plan.owner,
  ]);
  const homeless = wanted.filter((each) =>
    schemas.some(({ name, exists }) => name === each.schema && !exists),
  );
  const needed = await neededIn(
    gapsIn(session, plan, () => step),
    await connectGapsIn(session, step, plan, [database]),
    [...homeless, ...missing],
  );
  const split = found.version >= SPLIT_MEMBERSHIP;
  return [
    ...(needed.byOwner === 0 || found.ownerMember
      ? []
      : [membershipProblem(found.admin, plan.owner, { privileges: needed.byOwner, split })]),
    ...leftovers(unwanted.filter(({ reachable }) => !reachable)),
    ...schemas.flatMap((schema) => schemaProblems(schema, plan.owner, needed)),
    ...missing.map(
      ({ kind, schema, name }) =>
        `there is no ${kind} ${schema}.${name}; create it, or take it out of the privileges`,
    ),
    ...foreignProblems(foreign, plan.owner),
    ...(await createProblems(session, step, plan, found.version)),
  ];
}

/** The missing grants of a database. */
interface Needed {
  /** Number of privileges that the owner must grant. */
  readonly byOwner: number;
  /** Schemas on which a group needs USAGE. */
  readonly doors: ReadonlySet<string>;
  /** Schemas in which the owner must grant something. */
  readonly inside: ReadonlySet<string>;
}

/** `toCome`: wanted on relations that do not exist yet, and that the owner will own. */
async function neededIn(
  gaps: Gaps,
  connects: Awaited<ReturnType<typeof connectGapsIn>>,
  toCome: readonly unknown[],
): Promise<Needed> {
  const doors = await gaps.schemas();
  const inside = [...(await gaps.defaults()), ...(await gaps.relations())];
  return {
    byOwner:
      doors.filter((gap) => gap.owner_grants).length +
      inside.length +
      toCome.length +
      connects.filter(needsOwner).length,
    doors: new Set(doors.map(({ schema }) => schema)),
    inside: new Set(inside.map(({ schema }) => schema)),
  };
}

function schemaProblems(
  schema: SchemaFacts,
  ownerName: string,
  { doors, inside }: Needed,
): string[] {
  const [name, owner] = [ident(schema.name), ident(ownerName)];
  if (!schema.exists)
    return [
      problem(
        `the schema ${name} does not exist`,
        sql`CREATE SCHEMA ${name} AUTHORIZATION ${owner}`,
      ),
    ];
  const enters = schema.owner_enters === true || !inside.has(schema.name);
  if (enters && (schema.grantable === true || !doors.has(schema.name))) return [];
  return [
    problem(
      `the owner ${owner} may not ${enters ? "let others into" : "enter"} the schema ${name}`,
      sql`GRANT USAGE ON SCHEMA ${name} TO ${owner} WITH GRANT OPTION`,
    ),
  ];
}

/**
 * One problem per schema, foreign owner and set of privileges, because a schema may contain
 * thousands of foreign tables. The smallest remedy is a grant; alternatively the configuration can
 * except the tables.
 */
function foreignProblems(foreign: readonly Ungrantable[], ownerName: string): string[] {
  const owner = ident(ownerName);
  const alike = Map.groupBy(foreign, ({ schema, owner: of, kind, privileges }) =>
    JSON.stringify([schema, of, isLeasesOwn(of) || [kind, privileges]]),
  );
  return [...alike.values()].flatMap((relations) => {
    const [first] = relations;
    if (first === undefined) return [];
    if (isLeasesOwn(first.owner)) return [leaseProblem(relations)];
    const { kind, privileges } = first;
    const granted = joined(privileges.map(keyword), sql`, `);
    const objects = kind === "sequence" ? sql`SEQUENCE` : sql`TABLE`;
    const some = listed(relations.slice(0, NAMED_AT_MOST).map(nameOf));
    const fix = sql`GRANT ${granted} ON ${objects} ${some} TO ${owner} WITH GRANT OPTION`;
    const names = relations.map(plainName);
    const belong = `${someOf(names)} belong${relations.length > 1 ? "" : "s"} to ${ident(first.owner)}`;
    return [
      `${problem(`${belong}, and the owner ${owner} may not grant ${privileges.join(", ")} there`, fix)}${andRest(relations.length - NAMED_AT_MOST)}${exceptionOf(relations)}`,
    ];
  });
}

/** The alternative `except` list, if a pattern covers all of these tables and all can be named. */
function exceptionOf(relations: readonly Ungrantable[]): string {
  const names = relations.slice(0, NAMED_AT_MOST).map(plainName);
  const isNameable = relations.every(({ patterned, name }) => patterned && !/["'`.*]/.test(name));
  if (!isNameable || names.some(isHidden)) return "";
  return ` or leave out what a pattern means: except: [${names.map((name) => JSON.stringify(name)).join(", ")}]`;
}

const plainName = ({ schema, name }: Made): string => `${schema}.${name}`;
const nameOf = ({ schema, name }: Made): Sql => sql`${ident(schema)}.${ident(name)}`;
const andRest = (rest: number): string => (rest > 0 ? ` and likewise for ${rest} more;` : "");

/** A lease, or a group that a lease may have acted as. */
const isLeasesOwn = (owner: string): boolean => /^mf_[a-z2-7]{4}_/.test(owner);

const DROPPED: Readonly<Record<string, Sql>> = {
  v: sql`VIEW`,
  m: sql`MATERIALIZED VIEW`,
  f: sql`FOREIGN TABLE`,
  // a dropped table also drops the sequences of its columns
  S: sql`SEQUENCE IF EXISTS`,
};

type Made = Pick<Ungrantable, "schema" | "name" | "owner" | "relkind">;

/** `$1` wanted privileges as JSON. */
const made = sql`
select n.nspname::text as schema, c.relname::text as name, c.relkind::text as relkind,
  pg_catalog.pg_get_userbyid(c.relowner)::text as owner
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where ${isOfLeases} and c.relkind = any (array['r', 'p', 'v', 'm', 'f', 'S']::"char"[])
  and n.nspname in (select w.schema
    from pg_catalog.jsonb_to_recordset($1::jsonb) as w (schema text, name text) where w.name is null)
order by c.relkind = 'S', 1, 2`;

/**
 * Objects that leases created and a pattern would cover: they are granted to nobody, and do not
 * fail the checks.
 */
export const madeByLeases = async (
  session: Session,
  wanted: readonly WantedPrivilege[],
): Promise<readonly string[]> =>
  [
    ...Map.groupBy(
      await session.rows<Made>("look for what leases made", made, [JSON.stringify(wanted)]),
      ({ owner }) => owner,
    ).values(),
  ].map(leaseProblem);

/** Nobody gets an object that a lease created: its code would run for the next owner. */
function leaseProblem(relations: readonly Made[]): string {
  const owner = relations[0]?.owner ?? "";
  const drop = ({ relkind }: Made): Sql => DROPPED[relkind] ?? sql`TABLE`;
  const fixes = relations
    .slice(0, NAMED_AT_MOST)
    .map((each) => sql`DROP ${drop(each)} ${nameOf(each)}`);
  const what = `${someOf(relations.map(plainName))} ${relations.length > 1 ? "were" : "was"} made by`;
  const who = parseLeaseName(owner) === undefined ? "a lease that acted as" : "the lease";
  return `${problem(`${what} ${who} ${ident(owner)}; revoke it, let leases create nothing there, and drop what nobody needs`, joined(fixes, sql`; `))}${andRest(relations.length - NAMED_AT_MOST)}`;
}
