import { issuerName, STS_AUDIENCE } from "../../aws/workload-identity.ts";
import { broken, type Found, fine, unclear } from "../found.ts";
import type { IdentityFacts, TrustCondition } from "./identity-facts.ts";
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
  isProved,
  kubernetesIdentity,
  works,
} from "./workload.ts";

/** How to show the doctor a role's trust policy. */
export const showTrust = (roleArn: string): string =>
  `aws iam get-role --role-name ${roleNameIn(roleArn)} > role.json, and add --from role.json`;

const isIrsa = (facts: IdentityFacts): boolean => kubernetesIdentity(facts) === "irsa";

const REFUSED = /Not authorized to perform sts:AssumeRoleWithWebIdentity/;

/** The faults of the trust policy of these kinds. */
function faultsIn<Kind extends TrustFault["kind"]>(
  facts: IdentityFacts,
  ...kinds: readonly Kind[]
): readonly Extract<TrustFault, { kind: Kind }>[] {
  if (facts.trust === undefined || !isIrsa(facts)) return [];
  return webIdentityFaults(facts.trust, claimsOf(facts)).filter(
    (fault): fault is Extract<TrustFault, { kind: Kind }> =>
      (kinds as readonly TrustFault["kind"][]).includes(fault.kind),
  );
}

export const roleOf = (facts: IdentityFacts): string =>
  facts.trust?.roleArn ?? facts.variables?.roleArn ?? expectedRole(facts)?.arn ?? "the role";

/** The condition that lets in this workload alone. */
export function tokenCondition(facts: IdentityFacts): string {
  const { subject } = claimsOf(facts);
  const key = issuerOf(facts) ?? "<the cluster's issuer>";
  return JSON.stringify({
    StringEquals: {
      [`${key}:sub`]: subject ?? "system:serviceaccount:<namespace>:<service account>",
      [`${key}:aud`]: STS_AUDIENCE,
    },
  });
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
export function irsaRole(facts: IdentityFacts): readonly Found[] {
  const { trust, variables } = facts;
  const wanted = variables?.roleArn ?? annotatedRole(facts);
  if (!isIrsa(facts) || wanted === undefined) return [];
  if (!isRoleArn(wanted))
    return [
      broken(
        wanted,
        "is not the ARN of a role",
        "write the role's own ARN, arn:aws:iam::<account>:role/<name>, into the annotation eks.amazonaws.com/role-arn, and restart the pods",
      ),
    ];
  const other = trust?.roleArn;
  if (other === undefined) return [];
  if (isSameRole(other, wanted)) return [fine(wanted, "is the role whose trust policy was read")];
  return [
    broken(
      wanted,
      `the pod asks for ${wanted}; the role with the trust policy is ${other}`,
      `set the annotation eks.amazonaws.com/role-arn of ${accountInWords(facts)} to ${other}, and restart the pods`,
    ),
  ];
}

/** There is a statement for this issuer, in this account. */
export function irsaProvider(facts: IdentityFacts): readonly Found[] {
  const { trust } = facts;
  const subject = roleOf(facts);
  const issuer = issuerOf(facts);
  const account = trust?.roleArn === undefined ? undefined : roleIn(trust.roleArn)?.account;
  const arn = `arn:aws:iam::${account ?? "<account>"}:oidc-provider/${issuer ?? "<issuer>"}`;
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
  if (faults.length > 0 || trust === undefined || !isIrsa(facts)) return faults;
  return issuer === undefined
    ? []
    : [fine(subject, `its trust policy has a statement for ${issuer}`)];
}

/** Cluster ids change when a cluster is made again. */
export function irsaCluster(facts: IdentityFacts): readonly Found[] {
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

/** The subject is this service account's. */
export function irsaSubject(facts: IdentityFacts): readonly Found[] {
  const { subject = "" } = claimsOf(facts);
  const role = roleOf(facts);
  const [wrong] = faultsIn(facts, "subject");
  if (wrong !== undefined)
    return [
      broken(
        role,
        `its trust policy wants the sub ${wrong.found}; the token has ${subject}`,
        inTrust(facts, `set the condition's sub to ${subject}: ${tokenCondition(facts)}`),
      ),
    ];
  if (facts.trust === undefined) return withoutTrust(facts);
  const isRefused = faultsIn(facts, "no-statement", "wildcard", "denied", "unmet").length > 0;
  return isIrsa(facts) && subject !== "" && !isRefused
    ? [fine(role, `its trust policy lets in ${subject}`)]
    : [];
}

/** Without the policy, only a refusal or a workload that was not asked leaves it open. */
function withoutTrust(facts: IdentityFacts): readonly Found[] {
  const refused = failureLike(facts, REFUSED);
  const role = roleOf(facts);
  if (!isIrsa(facts) || (refused === undefined && facts.caller !== undefined)) return [];
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
export function irsaWildcard(facts: IdentityFacts): readonly Found[] {
  return faultsIn(facts, "wildcard").map(({ operator, found }) =>
    broken(
      roleOf(facts),
      `its trust policy has ${operator} with the pattern ${found}: only StringLike knows patterns`,
      inTrust(facts, `write the exact value: ${tokenCondition(facts)}`),
    ),
  );
}

/** The audience of the token is one of the policy's. */
export function irsaAudience(facts: IdentityFacts): readonly Found[] {
  const role = roleOf(facts);
  const claims = claimsOf(facts);
  // else it is the token's audience that is wrong
  const [wrong] = faultsIn(facts, "audience").filter(({ found }) => !found.includes(STS_AUDIENCE));
  if (wrong !== undefined)
    return [
      broken(
        role,
        `its trust policy wants the aud ${wrong.found.join(" or ")}; the token has ${claims.audiences.join(", ") || "none"}`,
        inTrust(facts, `set the condition's aud to ${STS_AUDIENCE}: ${tokenCondition(facts)}`),
      ),
    ];
  return [];
}

const whenInWords = (conditions: readonly TrustCondition[]): string =>
  conditions.map(conditionInWords).join(" and ") || "it has no condition";

/** What the doctor does not know of may still refuse. */
export function irsaConditions(facts: IdentityFacts): readonly Found[] {
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
