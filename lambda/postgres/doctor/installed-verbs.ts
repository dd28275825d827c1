import { byHand } from "../../../core/doctor/examiner.ts";
import { enderName, issuerRoleName } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";
import { sourceOf } from "../leases/installation.ts";
import {
  declaredSchema,
  functionName,
  VERBS,
  VERBS_VERSION,
  type Verb,
  type VerbKind,
  verbsSchema,
} from "../leases/verbs.ts";
import { installedVersions } from "../provisioning/converge/install-verbs.ts";
import { issuerLoginsOf, shardsOf } from "../provisioning/wanted-roles.ts";
import { flawsOr, type Look } from "./looking.ts";

interface Installed {
  readonly name: string;
  readonly owner: string;
  readonly definer: boolean;
  readonly source: string;
  /** `search_path=…`, and so on. */
  readonly settings: readonly string[];
  /** Who may execute it beside its owner. The empty name is everybody. */
  readonly callers: readonly string[];
}

/** `$1` the schema. */
const functions = sql`
select p.proname::text as name, pg_catalog.pg_get_userbyid(p.proowner)::text as owner,
  p.prosecdef as definer, p.prosrc as source, coalesce(p.proconfig, '{}') as settings,
  array(select coalesce(r.rolname::text, '')
    from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
    left join pg_catalog.pg_roles r on r.oid = a.grantee
    where a.grantee <> p.proowner order by 1) as callers
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = $1::text`;

/** Who owns what the provisioner made in the maintenance database. */
const OWNER = "pg_database_owner";

interface Wanted extends Pick<Installed, "name" | "owner" | "definer" | "source" | "settings"> {
  /** Each must be able to execute it. */
  readonly callers: readonly string[];
}

interface Fault {
  readonly text: string;
  /** An installation replaces code and settings, but neither owners nor what others granted. */
  readonly isLeft: boolean;
}
const replaced = (text: string): Fault => ({ text, isLeft: false });
const left = (text: string): Fault => ({ text, isLeft: true });

/** What is wrong with one function, if anything is. */
function faultOf(
  { name, ...wanted }: Wanted,
  rows: readonly Installed[],
  isOwn: (role: string) => boolean,
): Fault | undefined {
  const [found, ...others] = rows.filter((row) => row.name === name);
  if (found === undefined) return replaced("does not exist");
  if (others.length > 0) return left("exists more than once");
  if (found.owner !== wanted.owner)
    return left(`belongs to ${found.owner} instead of ${wanted.owner}`);
  const stranger = found.callers.find((role) => !isOwn(role));
  if (stranger !== undefined) return left(`can be called by ${stranger || "everybody"}`);
  if (found.definer !== wanted.definer)
    return replaced(wanted.definer ? "is no SECURITY DEFINER" : "is SECURITY DEFINER");
  if (found.source !== wanted.source) return replaced("has other code");
  if (found.settings.toSorted().join("\n") !== wanted.settings.toSorted().join("\n"))
    return replaced(
      `sets ${found.settings.join(", ") || "nothing"} instead of ${wanted.settings.join(", ") || "nothing"}`,
    );
  const shut = wanted.callers.filter((role) => !found.callers.includes(role));
  return shut.length > 0 ? replaced(`cannot be called by ${shut.join(", ")}`) : undefined;
}

/** Every function that the provisioner installs. */
function wantedFunctions(plan: ProvisionPlan, version: number): readonly Wanted[] {
  const { tag } = plan;
  const shards = shardsOf(plan);
  const logins = issuerLoginsOf(plan);
  const schema = verbsSchema(tag);
  const wanted = (verb: Verb): Wanted => {
    const body = { name: verb, source: sourceOf(tag, verb, "body"), settings: [] };
    switch (VERBS[verb].runsAs) {
      case "ender":
        return {
          ...body,
          owner: enderName(tag),
          definer: true,
          settings: [`search_path=pg_catalog, ${schema}, pg_temp`],
          callers: shards,
        };
      case "login":
        return { ...body, owner: OWNER, definer: false, callers: logins };
      default:
        return { ...body, owner: OWNER, definer: false, callers: shards };
    }
  };
  const wrappers = (verb: Verb): readonly Wanted[] => {
    const kind: VerbKind = VERBS[verb];
    if (kind.runsAs !== "shard") return [];
    const source = sourceOf(tag, verb, "wrapper");
    return shards.map((owner, shard) => ({
      name: functionName(verb, shard),
      owner,
      definer: true,
      source,
      settings: [
        `search_path=pg_catalog, ${schema}, ${declaredSchema(tag)}, pg_temp`,
        `lock_timeout=${kind.lockTimeout}`,
        ...(version >= SPLIT_MEMBERSHIP ? ["createrole_self_grant="] : []),
      ],
      callers: logins,
    }));
  };
  const names = Object.keys(VERBS) as Verb[];
  return [...names.map(wanted), ...names.flatMap(wrappers)];
}

interface OpenTable {
  readonly name: string;
  readonly fault: string;
}

/**
 * `$1` the schemas of declarations and verbs, `$2` the names of the roles that write there. What
 * others may change in them, and code that runs when Mayfly writes there.
 */
const openTables = sql`
with s as (select n.* from pg_catalog.pg_namespace n where n.nspname = any ($1::text[])),
c as (select c.*, s.nspname from pg_catalog.pg_class c join s on s.oid = c.relnamespace
  where c.relkind = 'r')
select s.nspname::text as name, 'belongs to ' || pg_catalog.pg_get_userbyid(s.nspowner) as fault
from s where s.nspowner <> 'pg_database_owner'::pg_catalog.regrole
union all
select s.nspname, coalesce(r.rolname, 'everybody') || ' may create things there'
from s cross join pg_catalog.aclexplode(s.nspacl) a left join pg_catalog.pg_roles r on r.oid = a.grantee
where a.privilege_type = 'CREATE' and a.grantee <> s.nspowner
union all
select c.nspname || '.' || c.relname, 'belongs to ' || pg_catalog.pg_get_userbyid(c.relowner)
from c where c.relowner <> 'pg_database_owner'::pg_catalog.regrole
union all
select c.nspname || '.' || c.relname,
  coalesce(r.rolname, 'everybody') || ' has ' || a.privilege_type || ' there'
from c cross join pg_catalog.aclexplode(c.relacl) a
left join pg_catalog.pg_roles r on r.oid = a.grantee
where a.grantee <> c.relowner and (a.privilege_type <> 'SELECT' and c.relname in ('declared', 'watched')
  or r.rolname is null or r.rolname <> all ($2::text[]))
union all
select c.nspname || '.' || c.relname, 'has the trigger ' || t.tgname
from c join pg_catalog.pg_trigger t on t.tgrelid = c.oid where not t.tgisinternal
order by 1, 2`;

/**
 * The functions that issue and revoke: all there, with the code of this version, and nobody else
 * may change what they read. What the table of grants says only its owner and issuer roles can read.
 */
export const lookAtVerbs: Look = async ({ session, plan, version }) => {
  const { tag, shards } = plan;
  const schema = verbsSchema(tag);
  const rows = await session.rows<Installed>("read the verbs", functions, [schema]);
  // roles of issuers that the plan has no more are Mayfly's too
  const isOwn = (role: string): boolean =>
    role.startsWith(issuerRoleName(tag, 0).slice(0, -2)) || issuerLoginsOf(plan).includes(role);
  const wanted = wantedFunctions(plan, version);
  const tables = await session.rows<OpenTable>("read the verbs", openTables, [
    [schema, declaredSchema(tag)],
    shardsOf(plan),
  ]);
  const faults = [
    ...wanted.flatMap(({ name, ...each }) => {
      const fault = faultOf({ name, ...each }, rows, isOwn);
      return fault === undefined ? [] : [{ ...fault, text: `${schema}.${name} ${fault.text}` }];
    }),
    ...tables.map(({ name, fault }) => left(`${name}: ${fault}`)),
  ];
  const versions = await installedVersions(session, tag);
  const seen = { check: "verbs", subject: `schema ${schema}` };
  const evidence = `version ${VERBS_VERSION} is deployed; installed: ${versions.join(", ") || "none"}`;
  return flawsOr(
    faults.length === 0
      ? []
      : [
          {
            ...seen,
            verdict: "broken",
            evidence: `${evidence}; of ${wanted.length} functions and their tables ${faults.length} are wrong: ${faults
              .slice(0, 5)
              .map(({ text }) => text)
              .join("; ")}`,
            fix: byHand(
              faults.some(({ isLeft }) => isLeft)
                ? "have a superuser take back what the evidence names (ALTER … OWNER TO, REVOKE, DROP), and run mayfly converge, which installs the rest again"
                : "run mayfly converge, which installs the deployed version again",
            ),
          },
        ],
    {
      ...seen,
      evidence: `${evidence}; ${wanted.length} functions have this version's code, owner, settings and callers, with their own for ${shards} issuer roles`,
    },
  );
};
