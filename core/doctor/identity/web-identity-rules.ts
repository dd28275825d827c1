import { GOOGLE, webIdentityTrust } from "../../aws/trust/web-identity.ts";
import { issuerName, STS_AUDIENCE } from "../../aws/workload-identity.ts";
import { broken, type Found, fine, unclear } from "../found.ts";
import type { IdentityFacts, TrustCondition } from "./identity-facts.ts";
import { pipelineSubject } from "./pipeline-rules.ts";
import { isRoleArn, isSameRole, roleIn, roleNameIn } from "./role-arn.ts";
import { conditionInWords } from "./trust-conditions.ts";
import { type TrustFault, webIdentityFaults } from "./web-identity-trust.ts";
import {
  accountInWords,
  annotatedRole,
  claimsOf,
  expectedRole,
  failureInWords,
  failureLike,
  isByToken,
  isProved,
  type TokenKind,
  tokenKind,
  works,
} from "./workload.ts";

/** How to show the doctor a role's trust policy. */
export const showTrust = (roleArn: string): string =>
  `aws iam get-role --role-name ${roleIn(roleArn)?.name ?? "<role>"} > role.json, and add --from role.json`;

const REFUSED = /Not authorized to perform sts:AssumeRoleWithWebIdentity/;

/** The faults of the trust policy of these kinds. */
function faultsIn<Kind extends TrustFault["kind"]>(
  facts: IdentityFacts,
  ...kinds: readonly Kind[]
): readonly Extract<TrustFault, { kind: Kind }>[] {
  if (facts.trust === undefined || !isByToken(facts)) return [];
  return webIdentityFaults(facts.trust, claimsOf(facts)).filter(
    (fault): fault is Extract<TrustFault, { kind: Kind }> =>
      (kinds as readonly TrustFault["kind"][]).includes(fault.kind),
  );
}

export const roleOf = (facts: IdentityFacts): string =>
  facts.trust?.roleArn ?? facts.variables?.roleArn ?? expectedRole(facts)?.arn ?? "the role";

/** The condition that lets in this workload alone. */
export function tokenCondition(facts: IdentityFacts): string {
  const { subject: sub, issuer } = claimsOf(facts);
  const kind = tokenKind(facts);
  const isOfPod = kind === undefined || kind === "service-account";
  const key = issuerOf(facts) ?? (isOfPod ? "<the cluster's issuer>" : "<the token's issuer>");
  const subject =
    sub ?? (isOfPod ? "system:serviceaccount:<namespace>:<service account>" : "<the token's sub>");
  const audience = audienceOf(facts);
  if (issuer === GOOGLE)
    return JSON.stringify(
      webIdentityTrust(NOWHERE, { issuer, audience, subjects: [subject] }).Condition,
    );
  return JSON.stringify({
    StringEquals: { [`${key}:sub`]: subject, [`${key}:aud`]: audience },
  });
}

/** Google's provider is of no account. */
const NOWHERE = { partition: "aws", account: "" };

/** The audience of the workload's tokens: the one that the policy must want. */
export function audienceOf(facts: IdentityFacts): string {
  const { token } = facts;
  const [first] = claimsOf(facts).audiences ?? [];
  switch (tokenKind(facts)) {
    case "github":
      return token?.kind === "claims" && !token.isOwn ? (first ?? STS_AUDIENCE) : STS_AUDIENCE;
    case "gitlab":
      return first ?? facts.job?.server ?? "<the token's aud>";
    case "oidc":
      return first ?? "<the token's aud>";
    case "service-account":
    case undefined:
      return STS_AUDIENCE;
  }
}

/** Without the token, the policy's own issuer is believed. */
function issuerOf(facts: IdentityFacts): string | undefined {
  const { issuer } = claimsOf(facts);
  if (issuer !== undefined) return issuerName(issuer);
  const [provider] =
    facts.trust?.statements
      .flatMap(({ principals }) => principals)
      .filter(({ type }) => type === "Federated") ?? [];
  return provider?.value.replace(/^.*oidc-provider\//, "");
}

export const inTrust = (facts: IdentityFacts, what: string): string =>
  `in the trust policy of ${roleNameIn(roleOf(facts))}, ${what}`;

/** AWS_ROLE_ARN, the annotation and the role itself are one. */
export function webIdentityRole(facts: IdentityFacts): readonly Found[] {
  const { trust, variables } = facts;
  const wanted = variables?.roleArn ?? annotatedRole(facts);
  if (!isByToken(facts) || wanted === undefined) return [];
  const isOfPod = tokenKind(facts) === "service-account";
  if (!isRoleArn(wanted))
    return [
      broken(
        wanted,
        "is not the ARN of a role",
        `write the role's own ARN, arn:aws:iam::<account>:role/<name>, into ${isOfPod ? "the annotation eks.amazonaws.com/role-arn, and restart the pods" : "AWS_ROLE_ARN"}`,
      ),
    ];
  const other = trust?.roleArn;
  if (other === undefined) return [];
  if (isSameRole(other, wanted)) return [fine(wanted, "is the role whose trust policy was read")];
  return [
    broken(
      wanted,
      `${isOfPod ? "the pod" : "AWS_ROLE_ARN"} asks for ${wanted}; the role with the trust policy is ${other}`,
      isOfPod
        ? `set the annotation eks.amazonaws.com/role-arn of ${accountInWords(facts)} to ${other}, and restart the pods`
        : `set AWS_ROLE_ARN to ${other}`,
    ),
  ];
}

/** There is a statement for this issuer, in this account. */
export function trustProvider(facts: IdentityFacts): readonly Found[] {
  const { trust } = facts;
  const subject = roleOf(facts);
  const issuer = issuerOf(facts);
  const account = trust?.roleArn === undefined ? undefined : roleIn(trust.roleArn)?.account;
  const arn =
    claimsOf(facts).issuer === GOOGLE
      ? issuerName(GOOGLE)
      : `arn:aws:iam::${account ?? "<account>"}:oidc-provider/${issuer ?? "<issuer>"}`;
  const statement = inTrust(
    facts,
    `allow sts:AssumeRoleWithWebIdentity to {"Federated": "${arn}"} with the condition ${tokenCondition(facts)}`,
  );
  const kinds = ["no-statement", "provider", "account", "denied", "unmet"] as const;
  const seen = faultsIn(facts, ...kinds).filter(({ kind }) => kind !== "denied" || !works(facts));
  const faults = seen.map((fault) => {
    switch (fault.kind) {
      case "no-statement":
        return broken(
          subject,
          "its trust policy allows sts:AssumeRoleWithWebIdentity to no provider",
          statement,
        );
      case "provider":
        return broken(
          subject,
          `its trust policy is for ${fault.found.join(", ")}; the token is of ${issuer}`,
          statement,
        );
      case "account":
        return broken(
          subject,
          `its trust policy names a provider of account ${fault.found}; the role is in ${fault.wanted}`,
          inTrust(facts, `set Principal to {"Federated": "${arn}"}`),
        );
      case "denied":
        return broken(
          subject,
          `a statement of its trust policy denies sts:AssumeRoleWithWebIdentity to this token: ${whenInWords(fault.statement.conditions)}`,
          inTrust(
            facts,
            `let that statement with "Effect": "Deny" no longer fit ${claimsOf(facts).subject ?? "the workload"}, and keep it for others`,
          ),
        );
      case "unmet":
        return broken(
          subject,
          `its trust policy has a condition that the request does not meet: ${conditionInWords(fault.condition)}`,
          statement,
        );
      default:
        return fault satisfies never;
    }
  });
  if (faults.length > 0 || trust === undefined || !isByToken(facts)) return faults;
  return issuer === undefined
    ? []
    : [fine(subject, `its trust policy has a statement for ${issuer}`)];
}

/** Cluster ids change when a cluster is made again. */
export function trustCluster(facts: IdentityFacts): readonly Found[] {
  const [fault] = faultsIn(facts, "cluster");
  if (fault === undefined) return [];
  return [
    broken(
      roleOf(facts),
      `its trust policy is for the cluster id ${fault.found}; the workload runs in ${fault.wanted}`,
      inTrust(
        facts,
        `write ${fault.wanted} in place of ${fault.found}, in Principal and in every condition key`,
      ),
    ),
  ];
}

/** The subject is this workload's. */
export function trustSubject(facts: IdentityFacts): readonly Found[] {
  const { subject = "" } = claimsOf(facts);
  const role = roleOf(facts);
  const [wrong] = faultsIn(facts, "subject");
  if (wrong !== undefined) {
    const more = pipelineSubject(tokenKind(facts), { wanted: wrong.found, subject });
    return [
      broken(
        role,
        `its trust policy wants the sub ${wrong.found}; the token has ${subject}${more.because}`,
        `${more.instead}${inTrust(facts, `set the condition's sub to ${subject}: ${tokenCondition(facts)}`)}`,
      ),
    ];
  }
  if (facts.trust === undefined) return withoutTrust(facts);
  const isRefused = faultsIn(facts, "no-statement", "wildcard", "denied", "unmet").length > 0;
  return isByToken(facts) && subject !== "" && !isRefused
    ? [fine(role, `its trust policy lets in ${subject}`)]
    : [];
}

/** Without the policy, only a refusal or a workload that was not asked leaves it open. */
function withoutTrust(facts: IdentityFacts): readonly Found[] {
  const refused = failureLike(facts, REFUSED);
  const role = roleOf(facts);
  if (!isByToken(facts) || (refused === undefined && facts.caller !== undefined)) return [];
  if (refused === undefined && isProved(facts)) return [];
  const seen = refused === undefined ? "its trust policy was not read" : failureInWords(refused);
  return [
    unclear(
      role,
      `${seen}; the trust policy must have the condition ${tokenCondition(facts)}`,
      showTrust(role),
    ),
  ];
}

/** StringEquals takes `*` as a letter. */
export function trustWildcard(facts: IdentityFacts): readonly Found[] {
  return faultsIn(facts, "wildcard").map(({ operator, found }) =>
    broken(
      roleOf(facts),
      `its trust policy has ${operator} with the pattern ${found}: only StringLike knows patterns`,
      inTrust(facts, `write the exact value: ${tokenCondition(facts)}`),
    ),
  );
}

/** The audience of the token is one of the policy's. */
export function trustAudience(facts: IdentityFacts): readonly Found[] {
  const role = roleOf(facts);
  const kind = tokenKind(facts);
  const { audiences = [] } = claimsOf(facts);
  const [wrong] = faultsIn(facts, "audience").filter(
    // else it is the token's audience that is wrong
    ({ found }) => kind !== "service-account" || !found.includes(STS_AUDIENCE),
  );
  if (wrong === undefined) return [];
  const wanted = wrong.found.join(" or ");
  const set = inTrust(
    facts,
    `set the condition's aud to ${audienceOf(facts)}: ${tokenCondition(facts)}`,
  );
  const isOwn = facts.token?.kind === "claims" && facts.token.isOwn;
  if (isOwn)
    return [
      unclear(
        role,
        `its trust policy wants the aud ${wanted}; the doctor asked for a token with ${audiences.join(", ")}, as aws-actions/configure-aws-credentials does unless its audience says otherwise`,
        `look whether the step has audience: ${wanted}; if not, add it, or ${set}`,
      ),
    ];
  const instead = kind === undefined ? undefined : OTHER_AUDIENCE[kind]?.(wanted);
  return [
    broken(
      role,
      `its trust policy wants the aud ${wanted}; the token has ${audiences.join(", ") || "none"}`,
      instead === undefined ? set : `${instead}; or ${set}`,
    ),
  ];
}

/** How a token gets another audience. The webhook's is right by definition. */
const OTHER_AUDIENCE: Readonly<Record<TokenKind, ((wanted: string) => string) | undefined>> = {
  "service-account": undefined,
  github: (wanted) => `set audience: ${wanted} in the step aws-actions/configure-aws-credentials`,
  gitlab: (wanted) => `set aud: ${wanted} of the token in the job's id_tokens`,
  oidc: (wanted) => `ask the issuer for a token with the aud ${wanted}`,
};

const whenInWords = (conditions: readonly TrustCondition[]): string =>
  conditions.map(conditionInWords).join(" and ") || "it has no condition";

/** What the doctor does not know of may still refuse. */
export function trustConditions(facts: IdentityFacts): readonly Found[] {
  if (works(facts)) return [];
  const role = roleOf(facts);
  const compare = "compare it with what CloudTrail has of the refused call";
  return faultsIn(facts, "condition", "may-deny").map((fault) =>
    fault.kind === "condition"
      ? unclear(
          role,
          `its trust policy has a condition that cannot be decided here: ${conditionInWords(fault.condition)}`,
          compare,
        )
      : unclear(
          role,
          `a statement of its trust policy denies sts:AssumeRoleWithWebIdentity under conditions that cannot be decided here: ${whenInWords(fault.undecided)}`,
          `${compare}; the statement itself keeps others out, so leave it there`,
        ),
  );
}
