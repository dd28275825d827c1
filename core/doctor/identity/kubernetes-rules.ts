import { iso } from "../../time.ts";
import { broken, type Found, fine, unclear } from "../found.ts";
import { isPodIdentity } from "./credential-source.ts";
import type { CredentialVariables, IdentityFacts } from "./identity-facts.ts";
import { isRoleArn, isSameRole } from "./role-arn.ts";
import {
  accountInWords,
  accountOf,
  actualAccount,
  annotatedRole,
  expectedRole,
  isInKubernetes,
  isOtherAccount,
  kubernetesIdentity,
  ROLE_ANNOTATION,
  trustsPods,
} from "./workload.ts";

const restart = (facts: IdentityFacts): string =>
  `restart its pods: kubectl rollout restart -n ${accountOf(facts)?.namespace ?? "<namespace>"} deployment/<name>`;

/** The pod runs as the service account that was meant. */
export function serviceAccount(facts: IdentityFacts): readonly Found[] {
  const { serviceAccount: meant } = facts;
  const actual = actualAccount(facts);
  if (meant === undefined || actual === undefined) return [];
  const subject = `${meant.namespace}/${meant.name}`;
  if (!isOtherAccount(facts)) return [fine(subject, "the pod runs as this service account")];
  return [
    broken(
      subject,
      `the pod runs as ${actual.namespace}/${actual.name}`,
      actual.namespace === meant.namespace
        ? `set serviceAccountName: ${meant.name} in the pod's template`
        : `use the service account of the pod's namespace ${actual.namespace}: a service account is of one namespace`,
    ),
  ];
}

/** Keys that people write in its place. */
const SIMILAR = /role[-_.]?arn|iam\.amazonaws\.com\/role/i;

/** The service account says which role. */
export function annotation(facts: IdentityFacts): readonly Found[] {
  const { serviceAccount: account, expected } = facts;
  if (account === undefined) return [];
  const subject = `${account.namespace}/${account.name}`;
  const role = annotatedRole(facts);
  const wanted = expectedRole(facts)?.arn;
  if (role === undefined) {
    if (kubernetesIdentity(facts) === "pod-identity")
      return [fine(subject, "needs no annotation: it has EKS Pod Identity")];
    // the role says by what it is taken: an association is missing then, and no annotation
    if (trustsPods(facts)) return [];
    const similar = Object.keys(account.annotations).filter((key) => SIMILAR.test(key));
    return [
      broken(
        subject,
        `has no annotation ${ROLE_ANNOTATION}${similar.length > 0 ? `, but ${similar.join(", ")}` : ""}`,
        `kubectl annotate serviceaccount -n ${account.namespace} ${account.name} ${ROLE_ANNOTATION}=${wanted ?? "<role ARN>"}, and ${restart(facts)}`,
      ),
    ];
  }
  const isOther = expected !== undefined && !isSameRole(expected.arn, role);
  if (isRoleArn(role) && !isOther) return [fine(subject, `is annotated with ${role}`)];
  return [
    broken(
      subject,
      isOther
        ? `is annotated with ${role}; ${expected.from} says ${expected.arn}`
        : `is annotated with ${role}, which is not the ARN of a role`,
      `kubectl annotate --overwrite serviceaccount -n ${account.namespace} ${account.name} ${ROLE_ANNOTATION}=${expected?.arn ?? "<role ARN>"}, and ${restart(facts)}`,
    ),
  ];
}

/** The variables that a container has, or this process. */
interface Given {
  readonly name: string;
  readonly roleArn: string | undefined;
  readonly hasToken: boolean;
  readonly hasPodIdentity: boolean;
}

function givenIn({ pod, variables }: IdentityFacts): readonly Given[] {
  if (pod?.isRunning === true)
    return pod.containers.map(({ name, variables: own }) => ({
      name: `${pod.namespace}/${pod.name} ${name}`,
      roleArn: own.AWS_ROLE_ARN,
      hasToken: own.AWS_WEB_IDENTITY_TOKEN_FILE !== undefined,
      hasPodIdentity: own.AWS_CONTAINER_CREDENTIALS_FULL_URI !== undefined,
    }));
  return variables?.platform === "kubernetes" ? [givenHere(variables)] : [];
}

const givenHere = (variables: CredentialVariables): Given => ({
  name: "this container",
  roleArn: variables.roleArn,
  hasToken: variables.tokenFile !== undefined,
  hasPodIdentity: isPodIdentity(variables),
});

const isWithout = ({ roleArn, hasToken }: Given): boolean => roleArn === undefined || !hasToken;

/** Whether Kubernetes says that the pod was there before its annotation or association. */
function isOlder(facts: IdentityFacts): boolean | undefined {
  const { pod, serviceAccount: account } = facts;
  if (pod?.createdAt === undefined) return undefined;
  if (account?.annotatedAt !== undefined) return pod.createdAt < account.annotatedAt;
  // of an annotation whose time is not known, only that it is no older than its account
  const isBefore = account?.createdAt !== undefined && pod.createdAt < account.createdAt;
  return isBefore ? true : undefined;
}

/** The webhook writes into new pods only. */
export function podAge(facts: IdentityFacts): readonly Found[] {
  const { pod, serviceAccount: account } = facts;
  const role = annotatedRole(facts);
  const given = givenIn(facts);
  if (given.length === 0 || isOtherAccount(facts)) return [];
  const associated = olderThanAssociation(facts, given);
  if (associated.length > 0 || role === undefined) return associated;
  const without = given.filter(isWithout);
  const names = without.map(({ name }) => name).join(", ");
  const others = given.filter(({ roleArn }) => roleArn !== undefined && roleArn !== role);
  const [other] = others;
  if (other !== undefined)
    return [
      broken(
        other.name,
        `was started with AWS_ROLE_ARN ${other.roleArn}; ${accountInWords(facts)} is annotated with ${role} now`,
        restart(facts),
      ),
    ];
  const [first] = given;
  const subject = pod === undefined ? (first?.name ?? "") : `${pod.namespace}/${pod.name}`;
  const isAll = without.length === given.length;
  if (isAll && isOlder(facts) !== false) {
    const times =
      pod?.createdAt !== undefined && account?.annotatedAt !== undefined
        ? `it was made at ${iso(pod.createdAt)}, the annotation at ${iso(account.annotatedAt)}`
        : "it is older than the annotation, or the webhook did not run";
    return [
      broken(
        subject,
        `${names} without AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE: ${times}`,
        restart(facts),
      ),
    ];
  }
  return without.length === 0 ? [fine(subject, "has the role of its annotation")] : [];
}

/** Pods that run when an association is made get nothing of it. */
function olderThanAssociation(facts: IdentityFacts, given: readonly Given[]): readonly Found[] {
  const { pod, associations = [] } = facts;
  const account = accountOf(facts);
  const found = associations.find(
    (each) => each.namespace === account?.namespace && each.serviceAccount === account.name,
  );
  if (found === undefined || annotatedRole(facts) !== undefined) return [];
  const subject = pod === undefined ? "this container" : `${pod.namespace}/${pod.name}`;
  const without = given.filter(({ hasPodIdentity }) => !hasPodIdentity);
  if (without.length === 0) return [fine(subject, "has the variables of EKS Pod Identity")];
  const isKnown = pod?.createdAt !== undefined && found.createdAt !== undefined;
  const times = isKnown
    ? `it was made at ${iso(pod.createdAt)}, the association at ${iso(found.createdAt)}`
    : "it is older than the association, or the cluster is another";
  return [
    broken(
      subject,
      `${without.map(({ name }) => name).join(", ")} without AWS_CONTAINER_CREDENTIALS_FULL_URI: ${times}`,
      restart(facts),
    ),
  ];
}

/** The webhook of IRSA has written its variables into every container. */
export function webhook(facts: IdentityFacts): readonly Found[] {
  const { pod } = facts;
  const given = givenIn(facts);
  if (annotatedRole(facts) === undefined || isOtherAccount(facts)) return [];
  if (given.length === 0) return [];
  const skipped = (pod?.annotations["eks.amazonaws.com/skip-containers"] ?? "").split(",");
  const without = given.filter(isWithout);
  const isAll = without.length === given.length;
  if (without.length === 0)
    return [fine(accountInWords(facts), "every container has AWS_ROLE_ARN and its token")];
  if (isAll && isOlder(facts) !== false) return [];
  const names = without.map(({ name }) => name).join(", ");
  if (isAll)
    return [
      broken(
        names,
        "no AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, though the pod is younger than the annotation: the webhook did not run",
        "on EKS, restart the pods; on a cluster of your own, install amazon-eks-pod-identity-webhook; kubectl get mutatingwebhookconfiguration pod-identity-webhook must find it",
      ),
    ];
  return [
    broken(
      names,
      skipped.some((each) => each.trim() !== "")
        ? `no AWS_ROLE_ARN: the pod's annotation eks.amazonaws.com/skip-containers has ${skipped.join(",")}`
        : "no AWS_ROLE_ARN, and other containers of the pod have it",
      "remove eks.amazonaws.com/skip-containers from the pod's template, or the container's own AWS_ variables; and restart the pods",
    ),
  ];
}

/** A workload in Kubernetes of which nothing says how it gets its role. */
export function kubernetes(facts: IdentityFacts): readonly Found[] {
  const { serviceAccount: account, associations, pod, variables } = facts;
  if (!isInKubernetes(facts) || kubernetesIdentity(facts) !== "none") return [];
  if (account !== undefined || associations !== undefined) return [];
  const { namespace, name } = accountOf(facts) ?? {
    namespace: "<namespace>",
    name: "<service account>",
  };
  return [
    unclear(
      pod === undefined ? "this container" : `${pod.namespace}/${pod.name}`,
      variables === undefined
        ? "nothing says which role its service account has"
        : "it has neither the variables of IRSA nor those of EKS Pod Identity",
      `kubectl get serviceaccount -n ${namespace} ${name} -o json --show-managed-fields > account.json, and add --from account.json`,
    ),
  ];
}
