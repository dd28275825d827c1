import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../core/provisioning/privileges.ts";
import { type Sql, sql } from "../connection/sql.ts";
import { type Absent, absent } from "../provisioning/check/check-database.ts";
import { someOf } from "../provisioning/check/problems.ts";
import { gapsIn, missingOnRelations } from "../provisioning/converge/gaps.ts";
import { type Grant, revocations, unwantedIn } from "../provisioning/converge/grant-entries.ts";
import { byDefault, enter, relationGrants } from "../provisioning/converge/privileges.ts";
import { holds, isCovered } from "../provisioning/converge/relations.ts";
import { type DatabaseLook, flawsOr, type Look, run } from "./looking.ts";
import { type OtherGrant, othersIn, othersOnServer, PARAMETER_PRIVILEGES } from "./other-grants.ts";

/** A privilege that a group lacks on a relation, and who can grant it. */
interface RelationGap extends WantedPrivilege {
  /** The relation's owner, unless the configuration's owner may grant it. */
  readonly grantor: string;
}

/** `$1` wanted privileges as JSON, `$2` the owner of the configuration. */
const relationGaps = sql`
select w."groupRole" as "groupRole", w.kind, w.privilege, n.nspname::text as schema,
  c.relname::text as name, case when ${holds(sql`$2`, true)} then $2::text
    else pg_catalog.pg_get_userbyid(c.relowner)::text end as grantor
${missingOnRelations(sql`$1`)}
order by 1, 2, 3, 4, 5`;

interface Door {
  readonly groupRole: string;
  readonly schema: string;
  /** Of `public` it is whoever owns the database. */
  readonly owner: string;
}

/** `$1` pairs of group and schema as JSON. Those that the group cannot enter, not even by PUBLIC. */
const shutDoors = sql`
select w."groupRole" as "groupRole", n.nspname::text as schema, pg_catalog.pg_get_userbyid(case
  when n.nspowner = 'pg_database_owner'::pg_catalog.regrole
    then (select d.datdba from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  else n.nspowner end)::text as owner
from pg_catalog.jsonb_to_recordset($1::jsonb) as w("groupRole" text, schema text)
join pg_catalog.pg_namespace n on n.nspname = w.schema
join pg_catalog.pg_roles g on g.rolname = w."groupRole"
where not pg_catalog.has_schema_privilege(g.oid, n.oid, 'USAGE')`;

interface Mending {
  readonly as: string;
  readonly statements: readonly Sql[];
  readonly what: readonly string[];
  /** What else is to be done. */
  readonly after?: string;
}

/** Most relations whose statements are in one answer. The next answer has the next ones. */
const MOST = 1_000;
const some = <T>(all: readonly T[]): readonly T[] => all.slice(0, MOST);

/** Let the owner of the configuration grant what somebody else's relations need. */
function lendings(owner: string, gaps: readonly RelationGap[]): readonly Sql[] {
  const alike = Map.groupBy(gaps, ({ kind, privilege, schema, name }) =>
    JSON.stringify([kind, privilege, schema, name]),
  );
  const once = [...alike.values()].flatMap(([gap]) =>
    gap === undefined ? [] : [{ ...gap, groupRole: owner }],
  );
  return relationGrants(once).map((grant) => sql`${grant} with grant option`);
}

async function missingIn(look: DatabaseLook, json: string): Promise<readonly Mending[]> {
  const { session, plan, database } = look;
  const what = `read privileges in database ${database}`;
  const gaps = gapsIn(session, plan, () => what);
  const grantable = new Set(
    (await gaps.schemas())
      .filter(({ owner_grants }) => owner_grants)
      .map(({ groupRole, schema }) => `${groupRole} ${schema}`),
  );
  const doors = await session.rows<Door>(what, shutDoors, [
    JSON.stringify(wantedSchemas(wantedPrivileges(plan))),
  ]);
  const defaults = await gaps.defaults();
  const relations = await session.rows<RelationGap>(what, relationGaps, [json, plan.owner]);
  const doorman = ({ groupRole, schema, owner }: Door): string =>
    grantable.has(`${groupRole} ${schema}`) ? plan.owner : owner;
  return [
    ...[...Map.groupBy(doors, doorman)].map(([as, each]) => ({
      as,
      statements: each.map(enter),
      what: each.map(({ groupRole, schema }) => `${groupRole} USAGE on schema ${schema}`),
    })),
    {
      as: plan.owner,
      statements: defaults.map((each) => byDefault(each)),
      what: defaults.map(
        ({ groupRole, privilege, schema, kind }) =>
          `${groupRole} ${privilege} by default on each new ${kind} in schema ${schema}`,
      ),
    },
    ...[...Map.groupBy(relations, ({ grantor }) => grantor)].map(([as, each]) => ({
      as,
      statements: as === plan.owner ? relationGrants(some(each)) : lendings(plan.owner, some(each)),
      what: each.map(
        ({ groupRole, privilege, schema, name }) =>
          `${groupRole} ${privilege} on ${schema}.${name}`,
      ),
      ...(as === plan.owner
        ? {}
        : {
            after: `; that belongs to ${as}, and ${plan.owner} may not grant it yet: then run mayfly converge; or leave out what "schema.*" does not mean, in "except"`,
          }),
    })),
  ].filter(({ statements }) => statements.length > 0);
}

/**
 * `$1` wanted privileges as JSON, `$2` groups. What groups may because everybody may. On 14 everybody
 * may create things in `public`, unless somebody took that away.
 */
const openToAll = (version: number): Sql => sql`
with w as (select * from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text, without text[],
    creates boolean)),
c as (select c.*, n.nspname from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind = any (array['r', 'p', 'v', 'm', 'f', 'S']::"char"[])
    and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from pg_catalog.pg_depend e
      where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid
        and e.deptype = 'e')),
e as (
  select case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.relnamespace as namespace,
    c.nspname, c.relname, null::name as attname, a.*
  from c cross join pg_catalog.aclexplode(c.relacl) a
  union all
  select 'column', c.relnamespace, c.nspname, c.relname, t.attname, a.*
  from c join pg_catalog.pg_attribute t on t.attrelid = c.oid
    cross join pg_catalog.aclexplode(t.attacl) a
  union all
  select 'schema', n.oid, n.nspname, null, null, a.*
  from pg_catalog.pg_namespace n cross join pg_catalog.aclexplode(n.nspacl) a
  where a.privilege_type = 'CREATE' and n.nspname !~ '^pg_'
    and (${version >= PUBLIC_IS_SHUT ? sql`true` : sql`false`} or n.nspname <> 'public'))
select e.kind, e.nspname::text as namespace, e.relname::text as name, e.attname::text as col,
  'PUBLIC' as grantee, pg_catalog.pg_get_userbyid(e.grantor)::text as grantor,
  e.privilege_type as privilege, false as option
from e
where e.grantee = 0 and exists (select from pg_catalog.pg_roles g
  where g.rolname = any ($2::text[])
    and pg_catalog.has_schema_privilege(g.oid, e.namespace, 'USAGE')
    and not exists (select from w where w."groupRole" = g.rolname and w.schema = e.nspname
      and case when e.kind = 'schema' then w.creates
        else w.kind = case e.kind when 'sequence' then 'sequence' else 'table' end
          and w.privilege = e.privilege_type
          and (w.name is null and ${isCovered(sql`e.relname`)} or w.name = e.relname) end))
order by 2, 3, 4, 5`;

/** From this version on nobody but its owner may create things in `public`. */
const PUBLIC_IS_SHUT = 150_000;

/** A privilege, and what is special about it. */
type Excess = Grant & Partial<Pick<OtherGrant, "definer">>;

/** The object that a privilege is on, in words. */
function objectText({ kind, namespace, name, identity, col, definer }: Excess): string {
  if (kind.startsWith("default "))
    return `${kind.slice("default ".length)}s to come${namespace === null ? "" : ` in schema ${namespace}`}`;
  const parts = [namespace, name, col].filter((part) => part !== null);
  const runs = definer ? ` (SECURITY DEFINER: runs as ${definer})` : "";
  return `${kind} ${identity ?? parts.join(".")}${runs}`.trimEnd();
}

const excessText = (each: Excess): string =>
  `${each.privilege}${each.option ? " with grant option" : ""} on ${objectText(each)}`;

/** Whom and what an excess is of: who accepts one accepts no other schema, kind or group. */
const excessSubject = ({ grantee, kind, namespace }: Excess, where: string): string => {
  const place =
    namespace === null ? "" : kind === "schema" ? ` ${namespace}` : ` in schema ${namespace}`;
  return `${grantee}: ${kind}${place}, ${where}`;
};

/** What is granted beyond the configuration: a flaw for each group or everybody, kind and schema. */
function excess(
  grants: readonly Excess[],
  { where, database, isOpen }: { where: string; database: string; isOpen: boolean },
): readonly Flaw[] {
  const alike = Map.groupBy(grants, (each) =>
    JSON.stringify([each.grantor, excessSubject(each, where)]),
  );
  return [...alike.values()].flatMap((same): readonly Flaw[] => {
    const [first] = same;
    if (first === undefined) return [];
    const what = someOf(same.map(excessText));
    return [
      {
        check: "group-excess",
        subject: excessSubject(first, where),
        verdict: "warning",
        evidence: isOpen
          ? `everybody may, and the configuration does not say that of the groups: ${what}; before you take it away, grant it to who needs it`
          : `${first.grantor} granted what the configuration does not name: ${what}`,
        fix: run(
          { database, as: first.grantor },
          revocations(some(same), isOpen ? sql`PUBLIC` : undefined),
        ),
      },
    ];
  });
}

/** What the groups may on the server beside its databases. */
export const lookAtServerPrivileges: Look = async ({ session, plan, version, groups }) => {
  const others = await othersOnServer(session, version, { tag: plan.tag, groups });
  const to = { where: "server", database: plan.maintenanceDatabase };
  const flaws = [
    ...excess(others.groups, { ...to, isOpen: false }),
    ...excess(others.everybody, { ...to, isOpen: true }),
  ];
  return flawsOr(flaws, {
    check: "group-excess",
    subject: "groups on the server",
    evidence:
      version < PARAMETER_PRIVILEGES
        ? "nothing is granted on tablespaces"
        : "nothing is granted on parameters and tablespaces",
  });
};

/** What the groups may in an application database, against the configuration. */
export const lookAtPrivileges: Look<DatabaseLook> = async (look) => {
  const { session, plan, database, version, groups } = look;
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const gone = await session.rows<Absent>("look for what privileges name", absent, [json]);
  const missing = await missingIn(look, json);
  const unwanted = await unwantedIn(session, version, [json, plan.tag, plan.owner]);
  const others = await othersIn(session, { tag: plan.tag, groups });
  const open = await session.rows<Grant>("read what everybody may", openToAll(version), [
    json,
    groups,
  ]);
  const subject = `groups in database ${database}`;
  const to = { where: `database ${database}`, database };
  const flaws: Flaw[] = [
    ...gone.map(({ kind, schema, name }) => ({
      check: "group-privileges",
      subject,
      verdict: "broken" as const,
      evidence: `there is no ${kind} ${schema}.${name}, which the configuration names`,
      fix: byHand(`create ${schema}.${name}, or take it out of "privileges" and deploy`),
    })),
    ...missing.map(({ as, statements, what, after = "" }) => ({
      check: "group-privileges",
      subject,
      verdict: "broken" as const,
      evidence: `missing: ${someOf(what)}${after}`,
      fix: run({ database, as }, statements),
    })),
    ...excess([...unwanted, ...others.groups], { ...to, isOpen: false }),
    ...excess([...open, ...others.everybody], { ...to, isOpen: true }),
  ];
  const wrong = new Set(flaws.map(({ check }) => check));
  return [
    ...flawsOr(flaws, {
      check: "group-privileges",
      subject,
      evidence: `${wanted.length} entries of the configuration are granted`,
    }),
    ...(wrong.has("group-excess")
      ? []
      : flawsOr([], {
          check: "group-excess",
          subject,
          evidence:
            "nothing else is granted on schemas, tables, sequences, functions, types, languages, foreign data, large objects, and what is to come of them",
        })),
  ];
};
