import { GOOGLE } from "../../aws/trust/web-identity.ts";
import { issuerName } from "../../aws/workload-identity.ts";
import type { TrustCondition, TrustFact, TrustStatement } from "./identity-facts.ts";
import { roleIn } from "./role-arn.ts";
import {
  answerOf,
  denialsIn,
  isAbout,
  isForEverybody,
  isLike,
  isNegated,
  type RequestKeys,
  takesPatterns,
} from "./trust-conditions.ts";
import type { Claims } from "./workload.ts";

/** Why a trust policy refuses a token, or may. */
export type TrustFault =
  | { readonly kind: "no-statement" }
  /** `found`: issuers of the policy's providers, without `https://`. */
  | { readonly kind: "provider"; readonly found: readonly string[] }
  | { readonly kind: "cluster"; readonly found: string; readonly wanted: string }
  | { readonly kind: "account"; readonly found: string; readonly wanted: string }
  /** `found`: in words. */
  | { readonly kind: "subject"; readonly found: string }
  | { readonly kind: "wildcard"; readonly operator: string; readonly found: string }
  | { readonly kind: "audience"; readonly found: readonly string[] }
  | { readonly kind: "unmet"; readonly condition: TrustCondition }
  | { readonly kind: "denied"; readonly statement: TrustStatement }
  | { readonly kind: "condition"; readonly condition: TrustCondition }
  | { readonly kind: "may-deny"; readonly undecided: readonly TrustCondition[] };

export const WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity";

/**
 * What is wrong with a trust policy for a token. Of several statements the one with the fewest
 * faults counts: AWS takes any that fits.
 */
export function webIdentityFaults(trust: TrustFact, claims: Claims): readonly TrustFault[] {
  const about = trust.statements.filter(
    (each) =>
      isAbout(each, WEB_IDENTITY) &&
      (isForEverybody(each) || each.principals.some(({ type }) => type === "Federated")),
  );
  const [first, ...others] = about
    .filter(({ effect }) => effect === "Allow")
    .map((statement) => faultsOf(statement, claims, trust.roleArn));
  if (first === undefined) return [{ kind: "no-statement" }];
  const weight = (faults: readonly TrustFault[]): number =>
    faults.reduce((sum, { kind }) => sum + (kind === "condition" ? 1 : 100), 0);
  const best = others.reduce((a, b) => (weight(b) < weight(a) ? b : a), first);
  const denials = denialsIn(
    about.filter((each) => providerFaults(each, claims.issuer, undefined).length === 0),
    requestOf(claims),
  ).map(({ statement, undecided }): TrustFault => {
    const isCertain = undecided.length === 0;
    return isCertain ? { kind: "denied", statement } : { kind: "may-deny", undecided };
  });
  return [...denials, ...best];
}

const faultsOf = (
  statement: TrustStatement,
  claims: Claims,
  roleArn: string | undefined,
): readonly TrustFault[] => [
  ...providerFaults(statement, claims.issuer, roleArn),
  ...statement.conditions.flatMap((each) => conditionFaults(each, claims)),
];

const PROVIDER = /^arn:aws[a-z-]*:iam::(\d{12}):oidc-provider\/(.+)$/;
/** Issuers of EKS differ in the cluster's id alone. */
const EKS_ISSUER =
  /^((?:oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|oidc-eks\.[\w.-]+)\/id)\/(\w+)$/;

function providerFaults(
  statement: TrustStatement,
  issuer: string | undefined,
  roleArn: string | undefined,
): readonly TrustFault[] {
  if (isForEverybody(statement)) return [];
  const found = statement.principals
    .filter(({ type }) => type === "Federated")
    .map(({ value: arn }) => {
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

/** A key that is a claim of a token: who issued it, and which. IAM ignores case there. */
function claimIn(key: string): { readonly issuer: string; readonly claim: ClaimName } | undefined {
  const [, issuer = "", name] = /^(.+):(sub|aud|oaud)$/i.exec(key) ?? [];
  const claim = CLAIMS.find((each) => each === name?.toLowerCase());
  return claim === undefined ? undefined : { issuer, claim };
}

const CLAIMS = ["sub", "aud", "oaud"] as const;
type ClaimName = (typeof CLAIMS)[number];

export const isClaim = ({ key }: TrustCondition, claim: "sub" | "aud"): boolean =>
  claimIn(key)?.claim === claim;

const isIssuer = (name: string, issuer: string | undefined): boolean =>
  issuer === undefined || name.toLowerCase() === issuerName(issuer).toLowerCase();

/** What STS sees when a token is shown to it. */
function requestOf({ issuer, subject, audiences, authorizedParty }: Claims): RequestKeys {
  const isOfGoogle = issuer === GOOGLE;
  return (key) => {
    if (key.toLowerCase() === "aws:securetransport") return ["true"];
    const its = claimIn(key);
    if (its === undefined) return undefined;
    if (!isIssuer(its.issuer, issuer)) return [];
    // IAM calls the azp of Google's tokens aud, and their aud oaud
    if (its.claim === "oaud") return isOfGoogle ? audiences : [];
    if (its.claim === "aud")
      return isOfGoogle && authorizedParty !== undefined ? [authorizedParty] : audiences;
    return subject === undefined ? undefined : [subject];
  };
}

function conditionFaults(condition: TrustCondition, claims: Claims): readonly TrustFault[] {
  const { operator, key, values } = condition;
  const { issuer, subject } = claims;
  const answer = answerOf(condition, requestOf(claims));
  const its = claimIn(key);
  if (answer === "met") return [];
  // without the token, nothing is known of its claims: the rules say so elsewhere
  if (answer === "unknown")
    return its !== undefined && requestOf(claims)(key) === undefined
      ? []
      : [{ kind: "condition", condition }];
  if (its === undefined) return [{ kind: "unmet", condition }];
  if (!isIssuer(its.issuer, issuer)) {
    const cluster = clusterFault(its.issuer, issuerName(issuer ?? ""));
    return [cluster ?? { kind: "provider", found: [its.issuer] }];
  }
  const claimed = requestOf(claims)(key) ?? [subject ?? ""];
  const pattern = values.find(
    (value) => /[*?]/.test(value) && claimed.some((each) => isLike(value, each)),
  );
  const isWithout = isNegated(condition);
  if (pattern !== undefined && !takesPatterns(condition) && !isWithout)
    return [{ kind: "wildcard", operator, found: pattern }];
  // the azp of Google's tokens is the caller, as the sub is
  const isCaller = its.claim === "sub" || (its.claim === "aud" && issuer === GOOGLE);
  if (!isCaller)
    return [isWithout ? { kind: "unmet", condition } : { kind: "audience", found: values }];
  return [
    {
      kind: "subject",
      found: isWithout ? `anything but ${values.join(" and ")}` : values.join(" or "),
    },
  ];
}
