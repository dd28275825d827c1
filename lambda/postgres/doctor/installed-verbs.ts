import { byHand } from "../../../core/doctor/examiner.ts";
import { enderName } from "../../../core/names.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";
import { functionName, VERBS, VERBS_VERSION, type Verb, verbsSchema } from "../leases/verbs.ts";
import { installedVersions } from "../provisioning/converge/install-verbs.ts";
import { issuerLoginsOf, shardsOf } from "../provisioning/wanted-roles.ts";
import { flawsOr, type Look } from "./looking.ts";

interface Installed {
  readonly name: string;
  readonly owner: string;
  readonly definer: boolean;
  /** `search_path=…`, and so on. */
  readonly settings: readonly string[] | null;
  /** Every issuer login may execute it. */
  readonly callable: boolean;
}

/** `$1` the schema, `$2` the issuer logins. */
const functions = sql`
select p.proname::text as name, pg_catalog.pg_get_userbyid(p.proowner)::text as owner,
  p.prosecdef as definer, p.proconfig as settings, (
    select pg_catalog.bool_and(pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))
    from pg_catalog.pg_roles r where r.rolname = any ($2::text[])) as callable
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname = $1::text`;

/** What is wrong with one function, if anything is. */
function faultOf(
  found: Installed | undefined,
  wanted: { readonly owner?: string; readonly isCalled: boolean; readonly pins: readonly string[] },
): string | undefined {
  if (found === undefined) return "does not exist";
  const { owner, isCalled, pins } = wanted;
  if (owner !== undefined && found.owner !== owner) return `belongs to ${found.owner}`;
  if (owner !== undefined && !found.definer) return "is no SECURITY DEFINER";
  const missing = pins.find((pin) => !found.settings?.some((each) => each.startsWith(`${pin}=`)));
  if (missing !== undefined) return `does not set ${missing}`;
  if (isCalled && !found.callable) return "cannot be called by the issuer logins";
  return undefined;
}

/** The functions that issue and revoke: all there, of this version, and nobody has changed them. */
export const lookAtVerbs: Look = async ({ session, plan, version }) => {
  const { tag, shards } = plan;
  const schema = verbsSchema(tag);
  const names = Object.keys(VERBS) as Verb[];
  const rows = await session.rows<Installed>("read the verbs", functions, [
    schema,
    issuerLoginsOf(plan),
  ]);
  const found = new Map(rows.map((row) => [row.name, row]));
  const pins = ["search_path", ...(version >= SPLIT_MEMBERSHIP ? ["createrole_self_grant"] : [])];
  const own = names.flatMap((verb) => {
    const { runsAs } = VERBS[verb];
    const owner = runsAs === "ender" ? { owner: enderName(tag) } : {};
    const isEnder = runsAs === "ender";
    const wanted = {
      ...owner,
      isCalled: runsAs === "login",
      pins: isEnder ? ["search_path"] : [],
    };
    return [{ name: verb as string, fault: faultOf(found.get(verb), wanted) }];
  });
  const wrapped = names
    .filter((verb) => VERBS[verb].runsAs === "shard")
    .flatMap((verb) =>
      shardsOf(plan).map((owner, shard) => {
        const name = functionName(verb, shard);
        return { name, fault: faultOf(found.get(name), { owner, isCalled: true, pins }) };
      }),
    );
  const faults = [...own, ...wrapped].flatMap(({ name, fault }) =>
    fault === undefined ? [] : [`${schema}.${name} ${fault}`],
  );
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
            evidence: `${evidence}; of ${own.length + wrapped.length} functions ${faults.length} are wrong: ${faults.slice(0, 3).join("; ")}`,
            fix: byHand("run mayfly converge, which installs the deployed version again"),
          },
        ],
    { ...seen, evidence: `${evidence}; ${counted(shards)}` },
  );
};

const counted = (shards: number): string => `${shards} issuer roles have theirs`;
