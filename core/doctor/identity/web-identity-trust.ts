import { issuerName } from "../../aws/workload-identity.ts";
import type { TrustCondition, TrustFact, TrustStatement } from "./identity-facts.ts";
import { roleIn } from "./role-arn.ts";
import type { Claims } from "./workload.ts";

/** Why a trust policy refuses a token, or lets in more than it. */
export type TrustFault =
  | { readonly kind: "no-statement" }
  /** `found`: issuers of the policy's providers, without `https://`. */
  | { readonly kind: "provider"; readonly found: readonly string[] }
  | { readonly kind: "cluster"; readonly found: string; readonly wanted: string }
  | { readonly kind: "account"; readonly found: string; readonly wanted: string }
  | { readonly kind: "subject"; readonly found: readonly string[] }
  | { readonly kind: "wildcard"; readonly operator: string; readonly found: string }
  | { readonly kind: "any-subject" }
  | { readonly kind: "audience"; readonly found: readonly string[] }
  | { readonly kind: "any-audience" }
  | { readonly kind: "denied" }
  | { readonly kind: "condition"; readonly condition: TrustCondition };

/** Faults by which the token is let in all the same. */
export const HARMLESS: ReadonlySet<TrustFault["kind"]> = new Set([
  "any-subject",
  "any-audience",
  "condition",
]);

const ACTION = "sts:AssumeRoleWithWebIdentity";

/** IAM's patterns: `*` and `?`. */
export function isLike(pattern: string, value: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s").test(value);
}

/** Whether a statement is about an action. IAM does not tell upper from lower case there. */
export const isAbout = ({ actions }: TrustStatement, action: string): boolean =>
  actions.some((each) => isLike(each.toLowerCase(), action.toLowerCase()));

/**
 * What is wrong with a trust policy for a token. Of several statements the one with the fewest
 * faults counts: AWS takes any that fits.
 */
export function webIdentityFaults(trust: TrustFact, claims: Claims): readonly TrustFault[] {
  const about = trust.statements.filter((each) => isAbout(each, ACTION));
  const [first, ...others] = about
    .filter(({ effect }) => effect === "Allow")
    .filter(({ principals }) => principals.some(({ type }) => type === "Federated"))
    .map((statement) => faultsOf(statement, claims, trust.roleArn));
  if (first === undefined) return [{ kind: "no-statement" }];
  const weight = (faults: readonly TrustFault[]): number =>
    faults.reduce((sum, { kind }) => sum + (HARMLESS.has(kind) ? 1 : 100), 0);
  const best = others.reduce((a, b) => (weight(b) < weight(a) ? b : a), first);
  const isDenied = about.some(
    (each) =>
      each.effect === "Deny" &&
      faultsOf(each, claims, undefined).every(({ kind }) => HARMLESS.has(kind)),
  );
  return isDenied ? [{ kind: "denied" }, ...best] : best;
}

function faultsOf(
  { principals, conditions }: TrustStatement,
  claims: Claims,
  roleArn: string | undefined,
): readonly TrustFault[] {
  const providers = principals.flatMap(({ type, value }) => (type === "Federated" ? [value] : []));
  return [
    ...providerFaults(providers, claims.issuer, roleArn),
    ...conditionFaults(conditions, claims),
  ];
}

const PROVIDER = /^arn:aws[a-z-]*:iam::(\d{12}):oidc-provider\/(.+)$/;
/** Issuers of EKS differ in the cluster's id alone. */
const EKS_ISSUER = /^(oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?\/id)\/(\w+)$/;

function providerFaults(
  providers: readonly string[],
  issuer: string | undefined,
  roleArn: string | undefined,
): readonly TrustFault[] {
  const found = providers.map((arn) => {
    const [, account = "", url = arn] = PROVIDER.exec(arn) ?? [];
    return { account, url };
  });
  const wanted = issuer === undefined ? undefined : issuerName(issuer);
  const same = wanted === undefined ? found : found.filter(({ url }) => url === wanted);
  const [first] = found;
  if (same.length === 0 && wanted !== undefined && first !== undefined)
    return [
      clusterFault(first.url, wanted) ?? { kind: "provider", found: found.map(({ url }) => url) },
    ];
  const account = roleArn === undefined ? undefined : roleIn(roleArn)?.account;
  const foreign = same.find((each) => each.account !== "" && each.account !== account);
  return account !== undefined && foreign !== undefined
    ? [{ kind: "account", found: foreign.account, wanted: account }]
    : [];
}

function clusterFault(found: string, wanted: string): TrustFault | undefined {
  const [, foundHost, foundId] = EKS_ISSUER.exec(found) ?? [];
  const [, host, id] = EKS_ISSUER.exec(wanted) ?? [];
  const isOtherCluster = foundHost !== undefined && foundHost === host && foundId !== id;
  return isOtherCluster ? { kind: "cluster", found: foundId ?? "", wanted: id ?? "" } : undefined;
}

function conditionFaults(
  conditions: readonly TrustCondition[],
  { issuer, subject, audiences }: Claims,
): readonly TrustFault[] {
  const faults: TrustFault[] = [];
  const seen = { sub: false, aud: false };
  for (const condition of conditions) {
    const [, prefix = "", claim] = /^(.+):(sub|aud)$/.exec(condition.key) ?? [];
    if (claim !== "sub" && claim !== "aud") {
      faults.push({ kind: "condition", condition });
      continue;
    }
    if (issuer !== undefined && prefix !== issuerName(issuer)) {
      const cluster = clusterFault(prefix, issuerName(issuer));
      faults.push(cluster ?? { kind: "provider", found: [prefix] });
    }
    seen[claim] = true;
    const claimed = claim === "aud" ? audiences : subject === undefined ? undefined : [subject];
    if (claimed !== undefined) faults.push(...faultsOfClaim(condition, claim, claimed));
  }
  if (!seen.sub) faults.push({ kind: "any-subject" });
  if (!seen.aud) faults.push({ kind: "any-audience" });
  return faults;
}

const OPERATOR =
  /^(?:ForAnyValue:|ForAllValues:)?String(Equals|Like|EqualsIgnoreCase)(?:IfExists)?$/;

function faultsOfClaim(
  condition: TrustCondition,
  claim: "sub" | "aud",
  claimed: readonly string[],
): readonly TrustFault[] {
  const { operator, values } = condition;
  const [, comparison] = OPERATOR.exec(operator) ?? [];
  if (comparison === undefined) return [{ kind: "condition", condition }];
  const fits = (value: string, claimedValue: string): boolean => {
    if (comparison === "Like") return isLike(value, claimedValue);
    return comparison === "Equals"
      ? value === claimedValue
      : value.toLowerCase() === claimedValue.toLowerCase();
  };
  if (claimed.some((each) => values.some((value) => fits(value, each)))) return [];
  const pattern = values.find(
    (value) => /[*?]/.test(value) && claimed.some((each) => isLike(value, each)),
  );
  if (pattern !== undefined && comparison !== "Like")
    return [{ kind: "wildcard", operator, found: pattern }];
  return [{ kind: claim === "sub" ? "subject" : "audience", found: values }];
}
