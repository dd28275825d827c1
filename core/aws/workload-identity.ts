/** The audience of tokens that STS takes: that of EKS's webhook and of AWS's action for GitHub. */
export const STS_AUDIENCE = "sts.amazonaws.com";

/** The audience of the tokens that EKS's Pod Identity agent takes. */
export const POD_IDENTITY_AUDIENCE = "pods.eks.amazonaws.com";

/** The service that assumes the role of a pod, and what its trust policy must allow. */
export const PODS_SERVICE = "pods.eks.amazonaws.com";
export const POD_ACTIONS = ["sts:AssumeRole", "sts:TagSession"] as const;

/** The service that assumes the role of an ECS task. */
export const TASKS_SERVICE = "ecs-tasks.amazonaws.com";

/** The service that assumes the role of an instance profile. */
export const INSTANCES_SERVICE = "ec2.amazonaws.com";

/** A pod of EKS, as its token names it. */
export interface Pod {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly name: string;
  readonly uid: string;
}

/** `sub` of a service account's token. */
export const serviceAccountSubject = ({
  namespace,
  serviceAccount,
}: Pick<Pod, "namespace" | "serviceAccount">): string =>
  `system:serviceaccount:${namespace}:${serviceAccount}`;

/**
 * An issuer as trust policies write it, in condition keys (`<issuer>:sub`) and at the end of its
 * provider's ARN: the URL without `https://`.
 */
export const issuerName = (url: string): string => url.replace(/^https?:\/\//, "");

/**
 * The session tags of a pod's role. A trust policy sees them as `aws:RequestTag/<name>`. (EKS user
 * guide, "Create IAM role with trust policy required by EKS Pod Identity".)
 */
export const podTags = (
  cluster: { readonly name: string; readonly arn: string },
  pod: Pod,
): Readonly<Record<PodTag, string>> => ({
  "eks-cluster-arn": cluster.arn,
  "eks-cluster-name": cluster.name,
  "kubernetes-namespace": pod.namespace,
  "kubernetes-service-account": pod.serviceAccount,
  "kubernetes-pod-name": pod.name,
  "kubernetes-pod-uid": pod.uid,
});

export type PodTag =
  | "eks-cluster-arn"
  | "eks-cluster-name"
  | "kubernetes-namespace"
  | "kubernetes-service-account"
  | "kubernetes-pod-name"
  | "kubernetes-pod-uid";
