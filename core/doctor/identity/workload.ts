import { isPodIdentity, sourceIn } from "./credential-source.ts";
import type { AwsFailure, ExpectedRole, IdentityFacts } from "./identity-facts.ts";

/** The annotation of IRSA. */
export const ROLE_ANNOTATION = "eks.amazonaws.com/role-arn";
const AUDIENCE_ANNOTATION = "eks.amazonaws.com/audience";

/** The audience of STS. */
export const STS_AUDIENCE = "sts.amazonaws.com";

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
    if (sourceIn(variables) === "web-identity") return "irsa";
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

/** The namespace and name of the workload's service account, as a token or a manifest has them. */
export function accountOf({
  token,
  pod,
  serviceAccount,
}: IdentityFacts): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] =
    token?.kind === "claims"
      ? (/^system:serviceaccount:([^:]+):([^:]+)$/.exec(token.subject ?? "") ?? [])
      : [];
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  if (pod !== undefined) return { namespace: pod.namespace, name: pod.serviceAccount };
  return serviceAccount;
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
  readonly audiences: readonly string[];
}

export function claimsOf(facts: IdentityFacts): Claims {
  const { token, cluster, serviceAccount } = facts;
  if (token?.kind === "claims") return token;
  const account = accountOf(facts);
  return {
    ...(cluster?.issuer !== undefined && { issuer: cluster.issuer }),
    ...(account !== undefined && {
      subject: `system:serviceaccount:${account.namespace}:${account.name}`,
    }),
    audiences: [serviceAccount?.annotations[AUDIENCE_ANNOTATION] ?? STS_AUDIENCE],
  };
}

/** The role that the workload should have, by who is named first. */
export function expectedRole(facts: IdentityFacts): ExpectedRole | undefined {
  const { expected, variables, taskDefinition, associations = [] } = facts;
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
