import { POD_ACTIONS, PODS_SERVICE } from "../../aws/workload-identity.ts";
import { broken, doubtful, type Found, fine, unclear } from "../found.ts";
import { isPodIdentity } from "./credential-source.ts";
import type { IdentityFacts, TrustCondition, TrustStatement } from "./identity-facts.ts";
import { showTrust } from "./irsa-rules.ts";
import { isSameRole, roleIn, roleNameIn } from "./role-arn.ts";
import { isAbout, isLike } from "./web-identity-trust.ts";
import {
  accountInWords,
  accountOf,
  expectedRole,
  failureLike,
  isInKubernetes,
  isProved,
  kubernetesIdentity,
} from "./workload.ts";

const clusterOf = ({ cluster, associations = [] }: IdentityFacts): string =>
  cluster?.name ?? associations[0]?.cluster ?? "<cluster>";

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
  const create = `aws eks create-pod-identity-association --cluster-name ${clusterOf(facts)} --namespace ${account?.namespace ?? "<namespace>"} --service-account ${account?.name ?? "<service account>"} --role-arn ${expectedRole(facts)?.arn ?? "<role ARN>"}, and restart the pods`;
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
  if (found === undefined) return [];
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

const document = (): string =>
  JSON.stringify({ Effect: "Allow", Principal: { Service: PODS_SERVICE }, Action: POD_ACTIONS });

/** EKS may take the role, and tag its session. */
export function podIdentityTrust(facts: IdentityFacts): readonly Found[] {
  const { trust, container } = facts;
  if (kubernetesIdentity(facts) !== "pod-identity") return [];
  const role = trust?.roleArn ?? expectedRole(facts)?.arn ?? "the role";
  const name = roleNameIn(role);
  if (trust === undefined) return withoutTrust(facts, role);
  const allowed = trust.statements.filter(
    ({ effect, principals }) =>
      effect === "Allow" &&
      principals.some(({ type, value }) => type === "Service" && value === PODS_SERVICE),
  );
  if (allowed.length === 0)
    return [
      broken(
        role,
        `its trust policy does not name ${PODS_SERVICE}`,
        `in the trust policy of ${name}, add the statement ${document()}`,
      ),
    ];
  const missing = POD_ACTIONS.filter((action) => !allowed.some((each) => isAbout(each, action)));
  if (missing.length > 0)
    return [
      broken(
        role,
        `its trust policy allows ${PODS_SERVICE} no ${missing.join(" and no ")}`,
        `in the trust policy of ${name}, set "Action": ${JSON.stringify(POD_ACTIONS)} for ${PODS_SERVICE}`,
      ),
    ];
  const wrong = allowed.flatMap((each) => wrongConditions(each, facts));
  if (wrong.length > 0)
    return wrong.map(({ condition, is }) =>
      broken(
        role,
        `its trust policy wants ${condition.key} ${condition.values.join(" or ")} (${condition.operator}); EKS says ${is}`,
        `in the trust policy of ${name}, set ${condition.key} to ${is}`,
      ),
    );
  if (container?.kind === "refused" && /AccessDenied/.test(container.words))
    return [
      broken(
        role,
        `the agent answers ${container.status}: ${container.words}; the trust policy that was read is right`,
        `check that ${showTrust(role)} was of the association's role, and that no policy of the organisation denies sts:AssumeRole or sts:TagSession`,
      ),
    ];
  const isOpen = allowed.every(({ conditions }) => conditions.length === 0);
  return isOpen
    ? [
        doubtful(
          role,
          `its trust policy lets in ${PODS_SERVICE} without a condition: an association with any service account may have it`,
          `in the trust policy of ${name}, add the condition ${JSON.stringify(conditionsFor(facts))}`,
        ),
      ]
    : [fine(role, `its trust policy allows ${POD_ACTIONS.join(" and ")} to ${PODS_SERVICE}`)];
}

const conditionsFor = (facts: IdentityFacts): object => ({
  StringEquals: {
    "aws:RequestTag/kubernetes-namespace": accountOf(facts)?.namespace ?? "<namespace>",
    "aws:RequestTag/kubernetes-service-account": accountOf(facts)?.name ?? "<service account>",
    "aws:RequestTag/eks-cluster-arn": facts.cluster?.arn ?? "<cluster ARN>",
  },
});

function withoutTrust(facts: IdentityFacts, role: string): readonly Found[] {
  const { container } = facts;
  const isRefused = container?.kind === "refused" && /AccessDenied/.test(container.words);
  if (!isRefused && (facts.caller !== undefined || isProved(facts))) return [];
  const seen = isRefused
    ? `the agent answers ${container.status}: ${container.words}`
    : "its trust policy was not read";
  return [unclear(role, `${seen}; it must have the statement ${document()}`, showTrust(role))];
}

/** Conditions on what EKS says of the pod, and that it does not say. */
function wrongConditions(
  { conditions }: TrustStatement,
  facts: IdentityFacts,
): readonly { readonly condition: TrustCondition; readonly is: string }[] {
  const account = accountOf(facts);
  const role = expectedRole(facts);
  const said: Readonly<Record<string, string | undefined>> = {
    "aws:requesttag/kubernetes-namespace": account?.namespace,
    "aws:requesttag/kubernetes-service-account": account?.name,
    "aws:requesttag/eks-cluster-arn": facts.cluster?.arn,
    "aws:requesttag/eks-cluster-name": facts.cluster?.name,
    "aws:sourceaccount": role === undefined ? undefined : roleIn(role.arn)?.account,
    "aws:sourcearn": facts.cluster?.arn,
  };
  return conditions.flatMap((condition) => {
    const is = said[condition.key.toLowerCase()];
    if (is === undefined) return [];
    const fits = condition.values.some((value) =>
      /Like/.test(condition.operator) ? isLike(value, is) : value === is,
    );
    return fits ? [] : [{ condition, is }];
  });
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
