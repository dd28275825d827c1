import { POD_ACTIONS, PODS_SERVICE } from "../../aws/workload-identity.ts";
import { broken, type Found, fine, unclear } from "../found.ts";
import { isPodIdentity } from "./credential-source.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import { isSameRole, roleIn } from "./role-arn.ts";
import { sessionTrustFlaws } from "./session-trust.ts";
import type { RequestKeys } from "./trust-conditions.ts";
import { showTrust } from "./web-identity-rules.ts";
import {
  accountInWords,
  accountOf,
  expectedRole,
  failureLike,
  isInKubernetes,
  isProved,
  kubernetesIdentity,
  trustsPods,
} from "./workload.ts";

const clusterOf = ({ cluster, associations = [] }: IdentityFacts): string =>
  cluster?.name ?? associations[0]?.cluster ?? "<cluster>";

/** The command that gives the service account its role. */
export function createAssociation(facts: IdentityFacts): string {
  const account = accountOf(facts);
  return `aws eks create-pod-identity-association --cluster-name ${clusterOf(facts)} --namespace ${account?.namespace ?? "<namespace>"} --service-account ${account?.name ?? "<service account>"} --role-arn ${expectedRole(facts)?.arn ?? facts.trust?.roleArn ?? "<role ARN>"}, and restart the pods`;
}

/** The agent on the node answers, and gives credentials. */
export function podIdentityAgent(facts: IdentityFacts): readonly Found[] {
  const { container, variables } = facts;
  if (variables === undefined || !isPodIdentity(variables) || container === undefined) return [];
  const subject = variables.fullUri ?? "";
  const addOn = `aws eks create-addon --cluster-name ${clusterOf(facts)} --addon-name eks-pod-identity-agent; kubectl get daemonset -n kube-system eks-pod-identity-agent must be ready on this node. Fargate has none: use IRSA there`;
  switch (container.kind) {
    case "unreachable":
      return [
        broken(subject, `the agent on this node cannot be reached (${container.code})`, addOn),
      ];
    case "no-token":
      return [
        broken(
          subject,
          `the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read (${container.code})`,
          "set securityContext.fsGroup of the pod to a group of its user, and restart the pods",
        ),
      ];
    case "credentials":
      return [fine(subject, "the agent gives credentials")];
    // the association's and the policy's rules say more of it
    case "refused":
    case "foreign":
      return [];
    default:
      return container satisfies never;
  }
}

const NO_ASSOCIATION = /ResourceNotFound|no (?:pod identity )?association/i;

/** The service account has an association, in its cluster, with the right role. */
export function podIdentityAssociation(facts: IdentityFacts): readonly Found[] {
  const { associations, container, expected, cluster } = facts;
  const account = accountOf(facts);
  const subject = accountInWords(facts);
  const create = createAssociation(facts);
  const refused =
    container?.kind === "refused" && NO_ASSOCIATION.test(container.words)
      ? `the agent answers ${container.status}: ${container.words}`
      : undefined;
  const own = associations?.filter(
    (each) => each.namespace === account?.namespace && each.serviceAccount === account.name,
  );
  const [found] =
    own?.filter((each) => cluster === undefined || each.cluster === cluster.name) ?? [];
  if (found === undefined && own !== undefined && kubernetesIdentity(facts) !== "irsa") {
    const others = associations?.map(
      (each) => `${each.namespace}/${each.serviceAccount} in ${each.cluster}`,
    );
    return [
      broken(subject, `has no association; there is ${others?.join(", ") || "none"}`, create),
    ];
  }
  if (refused !== undefined) return [broken(subject, refused, create)];
  if (found === undefined) return unreadAssociation(facts);
  if (
    expected !== undefined &&
    found.roleArn !== undefined &&
    !isSameRole(found.roleArn, expected.arn)
  )
    return [
      broken(
        subject,
        `its association has the role ${found.roleArn}; ${expected.from} says ${expected.arn}`,
        `aws eks update-pod-identity-association --cluster-name ${found.cluster} --association-id <id> --role-arn ${expected.arn}, and restart the pods`,
      ),
    ];
  return [
    fine(subject, `has an association in ${found.cluster} with ${found.roleArn ?? "a role"}`),
  ];
}

/** The role is one of EKS Pod Identity, and no file says whether it is associated. */
function unreadAssociation(facts: IdentityFacts): readonly Found[] {
  const { associations, serviceAccount } = facts;
  const isOpen = associations === undefined && kubernetesIdentity(facts) === "none";
  if (!isOpen || serviceAccount === undefined || !trustsPods(facts)) return [];
  const { namespace, name } = serviceAccount;
  return [
    unclear(
      accountInWords(facts),
      `the role trusts ${PODS_SERVICE}: it needs an association, and none was read`,
      `aws eks list-pod-identity-associations --cluster-name ${clusterOf(facts)} --namespace ${namespace} --service-account ${name} > associations.json, and add --from associations.json; if it is empty, ${createAssociation(facts)}`,
    ),
  ];
}

const TAG = "aws:requesttag/";

/** What tells one workload's pods from another's: condition keys, in lower case. */
export const POD_KEYS = [`${TAG}kubernetes-namespace`, `${TAG}kubernetes-service-account`] as const;

/** The condition that lets in this workload alone. */
export const podCondition = (facts: IdentityFacts): object => ({
  StringEquals: {
    "aws:RequestTag/kubernetes-namespace": accountOf(facts)?.namespace ?? "<namespace>",
    "aws:RequestTag/kubernetes-service-account": accountOf(facts)?.name ?? "<service account>",
    "aws:RequestTag/eks-cluster-arn": facts.cluster?.arn ?? "<cluster ARN>",
  },
});

const document = (facts: IdentityFacts): string =>
  JSON.stringify({
    Effect: "Allow",
    Principal: { Service: PODS_SERVICE },
    Action: POD_ACTIONS,
    Condition: podCondition(facts),
  });

/** What STS sees when EKS takes the role. */
function requestOf(facts: IdentityFacts): RequestKeys {
  const account = accountOf(facts);
  const role = expectedRole(facts);
  const said: Readonly<Record<string, string | undefined>> = {
    [`${TAG}kubernetes-namespace`]: account?.namespace,
    [`${TAG}kubernetes-service-account`]: account?.name,
    [`${TAG}eks-cluster-arn`]: facts.cluster?.arn,
    [`${TAG}eks-cluster-name`]: facts.cluster?.name,
    "aws:sourceaccount": role === undefined ? undefined : roleIn(role.arn)?.account,
    "aws:securetransport": "true",
  };
  return (key) => {
    const is = said[key.toLowerCase()];
    return is === undefined ? undefined : [is];
  };
}

/** EKS may take the role, and tag its session. */
export function podIdentityTrust(facts: IdentityFacts): readonly Found[] {
  const { trust, container } = facts;
  if (kubernetesIdentity(facts) !== "pod-identity") return [];
  const role = trust?.roleArn ?? expectedRole(facts)?.arn ?? "the role";
  if (trust === undefined) return withoutTrust(facts, role);
  const flaws = sessionTrustFlaws(facts, trust.statements, {
    service: PODS_SERVICE,
    actions: POD_ACTIONS,
    speaker: "EKS",
    role,
    workload: accountInWords(facts),
    request: requestOf(facts),
    statement: document(facts),
  });
  if (flaws.length > 0) return flaws;
  if (container?.kind === "refused" && /AccessDenied/.test(container.words))
    return [
      broken(
        role,
        `the agent answers ${container.status}: ${container.words}; the trust policy that was read is right`,
        `check that ${showTrust(role)} was of the association's role, and that no policy of the organisation denies sts:AssumeRole or sts:TagSession`,
      ),
    ];
  return [fine(role, `its trust policy allows ${POD_ACTIONS.join(" and ")} to ${PODS_SERVICE}`)];
}

function withoutTrust(facts: IdentityFacts, role: string): readonly Found[] {
  const { container } = facts;
  const isRefused = container?.kind === "refused" && /AccessDenied/.test(container.words);
  if (!isRefused && (facts.caller !== undefined || isProved(facts))) return [];
  const seen = isRefused
    ? `the agent answers ${container.status}: ${container.words}`
    : "its trust policy was not read";
  return [unclear(role, `${seen}; it must have the statement ${document(facts)}`, showTrust(role))];
}

/** AWS's list of SDKs for EKS Pod Identity: the oldest of each. */
const OLDEST =
  "JavaScript v3 3.458.0, boto3 1.34.41, Java 2.21.30, Go v2 of 2023-11-14, AWS CLI 2.15.0 or later";

/** An SDK that does not know where its credentials are. */
export function sdk(facts: IdentityFacts): readonly Found[] {
  const { variables, applicationCaller } = facts;
  const refused = failureLike(facts, /is not a valid container metadata service hostname/);
  const update = `update the application's AWS SDK: ${OLDEST}`;
  if (refused !== undefined)
    return [
      broken(
        "the application's SDK",
        `${refused.message}: it is older than EKS Pod Identity`,
        update,
      ),
    ];
  if (applicationCaller === undefined || variables === undefined || !isInKubernetes(facts))
    return [];
  const wanted = expectedRole(facts);
  const hasVariables = kubernetesIdentity(facts) !== "none";
  if (!hasVariables || wanted === undefined || isSameRole(wanted.arn, applicationCaller)) return [];
  const isOfPod = variables.roleArn !== undefined || isPodIdentity(variables);
  if (!isOfPod) return [];
  return [
    broken(
      "the application's SDK",
      `the pod has the variables of ${isPodIdentity(variables) ? "EKS Pod Identity" : "IRSA"}, and the application calls as ${applicationCaller}`,
      `${update}; and give its clients no credentials of their own: the default chain finds the role`,
    ),
  ];
}
