import { ROLES_ANYWHERE } from "../../aws/trust/roles-anywhere.ts";
import { PODS_SERVICE } from "../../aws/workload-identity.ts";
import { doubtful, type Found } from "../found.ts";
import type { IdentityFacts, TrustCondition, TrustStatement } from "./identity-facts.ts";
import { POD_KEYS, podCondition } from "./pod-identity-rules.ts";
import { anywhereStatement } from "./roles-anywhere-rules.ts";
import { conditionInWords, isAbout, isExact, isForEverybody } from "./trust-conditions.ts";
import { inTrust, roleOf, tokenCondition } from "./web-identity-rules.ts";
import { isClaim, WEB_IDENTITY } from "./web-identity-trust.ts";
import { tokenKind } from "./workload.ts";

/** Whom the trust policy lets in beside those that it names whole, by any of its statements. */
export function trustExcess(facts: IdentityFacts): readonly Found[] {
  const allowing = facts.trust?.statements.filter(({ effect }) => effect === "Allow") ?? [];
  return allowing.flatMap((statement) => [
    ...everybody(statement, facts),
    ...tokens(statement, facts),
    ...pods(statement, facts),
    ...machines(statement, facts),
  ]);
}

/** A role and who is let in: who accepts one excess accepts no other. */
const subjectOf = (facts: IdentityFacts, whom: string): string => `${roleOf(facts)}: ${whom}`;

/** Keys that say who calls. */
const CALLERS =
  /^aws:(?:principalarn|principalaccount|principalorgid|userid|sourceaccount)$|:sub$/i;

function everybody(statement: TrustStatement, facts: IdentityFacts): readonly Found[] {
  const { conditions, actions } = statement;
  const isNamed = conditions.some((each) => CALLERS.test(each.key) && isExact(each));
  if (!isForEverybody(statement) || isNamed) return [];
  const kind = tokenKind(facts);
  const whom =
    kind !== undefined
      ? `${kind === "service-account" ? "the cluster's" : "the issuer's"} provider as Principal, with the condition ${tokenCondition(facts)}`
      : "the workload's own service, or the ARNs of the roles that shall take it, as Principal";
  return [
    doubtful(
      subjectOf(facts, "*"),
      `its trust policy has the principal * for ${actions.join(", ")}: it lets in everybody, of every account${whenOf(conditions)}`,
      inTrust(facts, `write ${whom}`),
    ),
  ];
}

const whenOf = (conditions: readonly TrustCondition[]): string =>
  conditions.length === 0 ? "" : `, with ${conditions.map(conditionInWords).join(" and ")}`;

function tokens(statement: TrustStatement, facts: IdentityFacts): readonly Found[] {
  const { principals, conditions } = statement;
  const [provider] = principals.filter(({ type }) => type === "Federated");
  if (provider === undefined || !isAbout(statement, WEB_IDENTITY)) return [];
  const issuer = provider.value.replace(/^.*oidc-provider\//, "");
  const add = inTrust(facts, `in the statement for ${issuer}, ${wholeClaims(issuer, facts)}`);
  const ofClaim = (claim: "sub" | "aud", all: string): readonly Found[] => {
    const its = conditions.filter((each) => isClaim(each, claim));
    if (its.some(isExact)) return [];
    const seen =
      its.length === 0
        ? `has no condition on ${claim}: ${all}`
        : `lets in whatever has ${its.map(conditionInWords).join(" and ")}`;
    return [doubtful(subjectOf(facts, `${issuer} ${claim}`), `its trust policy ${seen}`, add)];
  };
  const isCluster = /^oidc[.-]eks\./.test(issuer);
  return [
    ...ofClaim(
      "sub",
      isCluster
        ? "every service account of the cluster may take the role"
        : `every token of ${issuer} is let in`,
    ),
    ...ofClaim("aud", "tokens that were made for others are let in"),
  ];
}

/** The workload's own condition, or for a statement of others what is missing. */
function wholeClaims(issuer: string, facts: IdentityFacts): string {
  const own = tokenCondition(facts);
  return own.includes(`"${issuer}:sub"`)
    ? `set the condition ${own}`
    : `set StringEquals on ${issuer}:sub and ${issuer}:aud to the whole values of its tokens, or remove it`;
}

function pods(statement: TrustStatement, facts: IdentityFacts): readonly Found[] {
  const { principals, conditions } = statement;
  const isForPods = principals.some(({ value }) => value === PODS_SERVICE);
  if (!isForPods || !isAbout(statement, "sts:AssumeRole")) return [];
  const open = POD_KEYS.filter(
    (key) => !conditions.some((each) => each.key.toLowerCase() === key && isExact(each)),
  );
  if (open.length === 0) return [];
  const seen =
    conditions.length === 0
      ? "without a condition: an association with any service account may have it"
      : `with any ${open.join(" and any ")} that fits${whenOf(conditions).slice(1)}`;
  return [
    doubtful(
      subjectOf(facts, PODS_SERVICE),
      `its trust policy lets in ${PODS_SERVICE} ${seen}`,
      inTrust(facts, `set the condition ${JSON.stringify(podCondition(facts))}`),
    ),
  ];
}

/** What tells one machine's certificate from another's of the same trust anchor. */
const OF_CERTIFICATE = /^aws:principaltag\/x509(?:subject|san)\//;

function machines(statement: TrustStatement, facts: IdentityFacts): readonly Found[] {
  const { principals, conditions } = statement;
  const isForMachines = principals.some(({ value }) => value === ROLES_ANYWHERE);
  if (!isForMachines || !isAbout(statement, "sts:AssumeRole")) return [];
  const has = (fits: (key: string) => boolean): boolean =>
    conditions.some((each) => fits(each.key.toLowerCase()) && isExact(each));
  const open = [
    ...(has((key) => key === "aws:sourcearn")
      ? []
      : ["certificates of every trust anchor of the account (no exact aws:SourceArn)"]),
    ...(has((key) => OF_CERTIFICATE.test(key))
      ? []
      : ["every certificate of a trust anchor (no exact aws:PrincipalTag/x509Subject/CN)"]),
  ];
  if (open.length === 0) return [];
  return [
    doubtful(
      subjectOf(facts, ROLES_ANYWHERE),
      `its trust policy lets in ${open.join(", and ")}${whenOf(conditions)}`,
      inTrust(facts, `write the statement ${anywhereStatement(facts)}`),
    ),
  ];
}
