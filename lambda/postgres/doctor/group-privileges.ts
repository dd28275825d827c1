import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import {
  type WantedPrivilege,
  wantedPrivileges,
  wantedSchemas,
} from "../../../core/provisioning/privileges.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";
import { type Absent, absent } from "../provisioning/check/check-database.ts";
import { someOf } from "../provisioning/check/problems.ts";
import { gapsIn, missingOnRelations } from "../provisioning/converge/gaps.ts";
import { revocations, unwantedIn } from "../provisioning/converge/grant-entries.ts";
import { byDefault, enter, keyword, relationGrants } from "../provisioning/converge/privileges.ts";
import { holds, isCovered } from "../provisioning/converge/relations.ts";
import { type DatabaseLook, flawsOr, type Look, run } from "./looking.ts";

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

interface Grant {
  readonly as: string;
  readonly statements: readonly Sql[];
  readonly what: readonly string[];
}

async function missingIn(look: DatabaseLook, json: string): Promise<readonly Grant[]> {
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
      statements: relationGrants(each),
      what: each.map(
        ({ groupRole, privilege, schema, name }) =>
          `${groupRole} ${privilege} on ${schema}.${name}`,
      ),
    })),
  ].filter(({ statements }) => statements.length > 0);
}

interface Open {
  readonly schema: string;
  readonly name: string;
  readonly privilege: string;
  readonly grantor: string;
  readonly groups: readonly string[];
}

/** `$1` wanted privileges as JSON, `$2` groups. What groups may because everybody may. */
const openToAll = sql`
with w as (select * from pg_catalog.jsonb_to_recordset($1::jsonb)
  as w("groupRole" text, kind text, privilege text, schema text, name text, without text[]))
select n.nspname::text as schema, c.relname::text as name, a.privilege_type as privilege,
  pg_catalog.pg_get_userbyid(a.grantor)::text as grantor,
  pg_catalog.array_agg(g.name order by g.name) as groups
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join pg_catalog.aclexplode(c.relacl) a
cross join pg_catalog.unnest($2::text[]) as g(name)
where a.grantee = 0 and a.privilege_type = any (array['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
  and c.relkind = any (array['r', 'p', 'v', 'm', 'f']::"char"[])
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and pg_catalog.has_schema_privilege(g.name::name, n.oid, 'USAGE')
  and not exists (select from pg_catalog.pg_depend e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and e.objid = c.oid
      and e.deptype = 'e')
  and not exists (select from w where w."groupRole" = g.name and w.kind = 'table'
    and w.privilege = a.privilege_type and w.schema = n.nspname
    and (w.name is null and ${isCovered(sql`c.relname`)} or w.name = c.relname))
group by 1, 2, 3, 4 order by 1, 2, 3`;

const closing = ({ schema, name, privilege }: Open): Sql =>
  sql`REVOKE ${keyword(privilege)} ON TABLE ${ident(schema)}.${ident(name)} FROM PUBLIC`;

/** What the groups may in an application database, against the configuration. */
export const lookAtPrivileges: Look<DatabaseLook> = async (look) => {
  const { session, plan, database, version, groups } = look;
  const wanted = wantedPrivileges(plan);
  const json = JSON.stringify(wanted);
  const gone = await session.rows<Absent>("look for what privileges name", absent, [json]);
  const missing = await missingIn(look, json);
  const unwanted = await unwantedIn(session, version, [json, plan.tag, plan.owner]);
  const open = await session.rows<Open>("read what everybody may", openToAll, [json, groups]);
  const subject = `groups in database ${database}`;
  const flaws: Flaw[] = [
    ...gone.map(({ kind, schema, name }) => ({
      check: "group-privileges",
      subject,
      verdict: "broken" as const,
      evidence: `there is no ${kind} ${schema}.${name}, which the configuration names`,
      fix: byHand(`create ${schema}.${name}, or take it out of "privileges" and deploy`),
    })),
    ...missing.map(({ as, statements, what }) => ({
      check: "group-privileges",
      subject,
      verdict: "broken" as const,
      evidence: `missing: ${someOf(what)}`,
      fix: run({ database, as }, statements),
    })),
    ...[...Map.groupBy(unwanted, ({ grantor }) => grantor)].map(([grantor, grants]) => ({
      check: "group-excess",
      subject,
      verdict: "warning" as const,
      evidence: `${grantor} granted what the configuration does not name: ${someOf(
        grants.map(
          ({ grantee, privilege, kind, namespace, name, option }) =>
            `${grantee} ${privilege}${option ? " with grant option" : ""} on ${kind} ${[namespace, name].filter((part) => part !== null).join(".")}`,
        ),
      )}`,
      fix: run({ database, as: grantor }, revocations(grants)),
    })),
    ...[...Map.groupBy(open, ({ grantor }) => grantor)].map(([grantor, each]) => ({
      check: "group-excess",
      subject,
      verdict: "warning" as const,
      evidence: `everybody may, and the configuration does not say that of the groups: ${someOf(
        each.map(({ privilege, schema, name }) => `${privilege} on ${schema}.${name}`),
      )}; before you take it away, grant it to who needs it`,
      fix: run({ database, as: grantor }, each.map(closing)),
    })),
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
      : flawsOr([], { check: "group-excess", subject, evidence: "nothing else is granted" })),
  ];
};
