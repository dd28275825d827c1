import { GITHUB_ISSUER, GITLAB_ISSUER } from "../../aws/trust/pipelines.ts";
import {
  issuerName,
  PODS_SERVICE,
  STS_AUDIENCE,
  serviceAccountSubject,
} from "../../aws/workload-identity.ts";
import { isPodIdentity, sourceIn } from "./credential-source.ts";
import type { AwsFailure, ExpectedRole, IdentityFacts } from "./identity-facts.ts";
import { isSameRole } from "./role-arn.ts";

/** The annotation of IRSA. */
export const ROLE_ANNOTATION = "eks.amazonaws.com/role-arn";
const AUDIENCE_ANNOTATION = "eks.amazonaws.com/audience";

/** What Kubernetes gives a workload its role by. */
export type KubernetesIdentity = "irsa" | "pod-identity" | "none";

export const annotatedRole = ({ serviceAccount }: IdentityFacts): string | undefined =>
  serviceAccount?.annotations[ROLE_ANNOTATION];

/** Whether the workload runs in Kubernetes. */
export const isInKubernetes = ({ variables, pod, serviceAccount }: IdentityFacts): boolean =>
  variables?.platform === "kubernetes" || pod !== undefined || serviceAccount !== undefined;

/** By variables, else by what is configured for its service account. */
export function kubernetesIdentity(facts: IdentityFacts): KubernetesIdentity {
  const { variables, cluster, associations = [] } = facts;
  if (variables !== undefined) {
    if (sourceIn(variables) === "web-identity") return isOfServiceAccount(facts) ? "irsa" : "none";
    if (isPodIdentity(variables)) return "pod-identity";
  }
  if (annotatedRole(facts) !== undefined) return "irsa";
  const account = accountOf(facts);
  const isItsOwn = associations.some(
    (each) =>
      each.namespace === account?.namespace &&
      each.serviceAccount === account?.name &&
      (cluster === undefined || each.cluster === cluster.name),
  );
  return isItsOwn ? "pod-identity" : "none";
}

/** A web identity in Kubernetes is a service account's, unless its token says otherwise. */
function isOfServiceAccount(facts: IdentityFacts): boolean {
  const { token } = facts;
  const subject = token?.kind === "claims" ? token.subject : undefined;
  return subject === undefined ? isInKubernetes(facts) : SERVICE_ACCOUNT.test(subject);
}

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Whose tokens the workload gets its role by. */
export type TokenKind = "service-account" | "github" | "gitlab" | "oidc";

/** Undefined: it gets its role otherwise, as far as is known. */
export function tokenKind(facts: IdentityFacts): TokenKind | undefined {
  const { job, token, variables } = facts;
  const kubernetes = kubernetesIdentity(facts);
  if (kubernetes !== "none") return kubernetes === "irsa" ? "service-account" : undefined;
  if (token?.kind === "claims") return kindOfToken(token);
  if (job !== undefined) return job.pipeline;
  return variables !== undefined && sourceIn(variables) === "web-identity" ? "oidc" : undefined;
}

/** Servers of one's own have other issuers, and the same subjects. */
function kindOfToken({ issuer = "", subject = "" }: Claims): TokenKind {
  if (SERVICE_ACCOUNT.test(subject)) return "service-account";
  const isAt = (other: string): boolean => issuerName(issuer).startsWith(issuerName(other));
  if (isAt(GITHUB_ISSUER) || subject.startsWith("repo:")) return "github";
  return isAt(GITLAB_ISSUER) || subject.startsWith("project_path:") ? "gitlab" : "oidc";
}

/** The role is one of EKS Pod Identity, and of nothing else that a pod has. */
export const trustsPods = ({ trust }: IdentityFacts): boolean => {
  const allowed = trust?.statements.filter(({ effect }) => effect === "Allow") ?? [];
  const principals = allowed.flatMap((each) => each.principals);
  return (
    principals.some(({ value }) => value === PODS_SERVICE) &&
    !principals.some(({ type }) => type === "Federated")
  );
};

/** A service account, as a token or a manifest names it. */
export interface AccountName {
  readonly namespace: string;
  readonly name: string;
}

/** The service account that the workload runs as. */
export function actualAccount({ token, pod }: IdentityFacts): AccountName | undefined {
  const [, namespace, name] =
    token?.kind === "claims" ? (SERVICE_ACCOUNT.exec(token.subject ?? "") ?? []) : [];
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  return pod === undefined ? undefined : { namespace: pod.namespace, name: pod.serviceAccount };
}

/** The service account that is meant: one that was shown, else the one that it runs as. */
export const accountOf = (facts: IdentityFacts): AccountName | undefined =>
  facts.serviceAccount ?? actualAccount(facts);

/** The workload runs as another service account than the one that was shown. */
export function isOtherAccount(facts: IdentityFacts): boolean {
  const [meant, actual] = [facts.serviceAccount, actualAccount(facts)];
  if (meant === undefined || actual === undefined) return false;
  return meant.namespace !== actual.namespace || meant.name !== actual.name;
}

/** `shop/user-service`, as kubectl's columns have it. */
export const accountInWords = (facts: IdentityFacts): string => {
  const account = accountOf(facts);
  return account === undefined ? "the service account" : `${account.namespace}/${account.name}`;
};

/** What the workload's token says, or will say. What is undefined is not known. */
export interface Claims {
  readonly issuer?: string;
  readonly subject?: string;
  readonly audiences?: readonly string[];
  /** Of Google's tokens. */
  readonly authorizedParty?: string;
}

export function claimsOf(facts: IdentityFacts): Claims {
  const { token, cluster, serviceAccount } = facts;
  // of a token of another account the audience and the issuer stay
  if (token?.kind === "claims" && !isOtherAccount(facts)) return token;
  if (!isInKubernetes(facts)) return claimsToCome(facts);
  const account = accountOf(facts);
  const issuer = cluster?.issuer ?? (token?.kind === "claims" ? token.issuer : undefined);
  return {
    ...(issuer !== undefined && { issuer }),
    ...(account !== undefined && {
      subject: serviceAccountSubject({
        namespace: account.namespace,
        serviceAccount: account.name,
      }),
    }),
    audiences: [serviceAccount?.annotations[AUDIENCE_ANNOTATION] ?? STS_AUDIENCE],
  };
}

/** Of a token that was not seen: what it has unless somebody changed it. */
function claimsToCome({ job }: IdentityFacts): Claims {
  switch (job?.pipeline) {
    case "github":
      return job.server === GITHUB_SERVER ? { issuer: GITHUB_ISSUER } : {};
    case "gitlab":
      return job.server === undefined ? {} : { issuer: job.server };
    default:
      return {};
  }
}

const GITHUB_SERVER = "https://github.com";

/** The role that the workload should have, by who is named first. */
export function expectedRole(facts: IdentityFacts): ExpectedRole | undefined {
  const { expected, variables, taskDefinition, helper, associations = [] } = facts;
  if (expected !== undefined) return expected;
  const annotated = annotatedRole(facts);
  if (annotated !== undefined)
    return { arn: annotated, from: `the annotation of ${accountInWords(facts)}` };
  const account = accountOf(facts);
  const associated = associations.find(
    (each) => each.namespace === account?.namespace && each.serviceAccount === account.name,
  );
  if (associated?.roleArn !== undefined)
    return { arn: associated.roleArn, from: "the association of EKS Pod Identity" };
  if (variables !== undefined && sourceIn(variables) === "web-identity" && variables.roleArn)
    return { arn: variables.roleArn, from: "AWS_ROLE_ARN" };
  if (taskDefinition?.taskRoleArn !== undefined)
    return {
      arn: taskDefinition.taskRoleArn,
      from: `the task definition ${taskDefinition.family}`,
    };
  if (helper?.roleArn !== undefined)
    return { arn: helper.roleArn, from: "the credential helper's --role-arn" };
  return undefined;
}

/** Whom AWS sees: the application's own word goes before ours. */
export const callerArn = ({ caller, applicationCaller }: IdentityFacts): string | undefined =>
  applicationCaller ?? (caller?.kind === "caller" ? caller.arn : undefined);

/** Every error that is known, from here and of the application. */
export const failuresIn = ({ caller, applicationError }: IdentityFacts): readonly AwsFailure[] => [
  ...(applicationError === undefined ? [] : [applicationError]),
  ...(caller?.kind === "failed" ? [caller] : []),
];

/**
 * The first error that matches. STS has one name for several causes, so its words are looked at
 * too.
 */
export const failureLike = (facts: IdentityFacts, pattern: RegExp): AwsFailure | undefined =>
  failuresIn(facts).find(({ name, message }) => pattern.test(`${name}: ${message}`));

export const failureInWords = ({ name, message }: AwsFailure): string =>
  name === "" || message.startsWith(name) ? message : `${name}: ${message}`;

/** The workload has the role that it should have: whatever leads there is right. */
export const isProved = (facts: IdentityFacts): boolean =>
  facts.caller?.kind === "caller" &&
  facts.applicationError === undefined &&
  facts.applicationCaller === undefined;

/** The caller is a session of the role whose trust policy was read: that lets it in. */
export const works = (facts: IdentityFacts): boolean => {
  const role = facts.trust?.roleArn ?? expectedRole(facts)?.arn;
  const isRole =
    facts.caller?.kind === "caller" && role !== undefined && isSameRole(facts.caller.arn, role);
  return isRole && isProved(facts);
};

/**
 * The workload's token decides. A job, or a program with a token of its own, may have its role by
 * something else, too.
 */
export const isByToken = (facts: IdentityFacts): boolean => {
  const kind = tokenKind(facts);
  return kind === "service-account" || (kind !== undefined && !works(facts));
};
