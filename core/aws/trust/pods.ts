import { POD_ACTIONS, PODS_SERVICE, type PodTag } from "../workload-identity.ts";
import { oneOrMore, type RolePlace, type TrustStatement } from "./statement.ts";

/** Pods that get a role by EKS Pod Identity. */
export interface Pods {
  /** The cluster's name. */
  readonly cluster: string;
  readonly namespace: string;
  /** At least one. */
  readonly serviceAccounts: readonly string[];
}

/** A session tag, as a trust policy sees it. */
export const requestTag = (tag: PodTag): string => `aws:RequestTag/${tag}`;

/** ARN of a cluster of EKS. */
export const clusterArn = ({ partition, region, account }: RolePlace, cluster: string): string =>
  `arn:${partition}:eks:${region}:${account}:cluster/${cluster}`;

/** The trust of the pods of some service accounts, in one namespace of one cluster. */
export const podIdentityTrust = (
  place: RolePlace,
  { cluster, namespace, serviceAccounts }: Pods,
): TrustStatement => ({
  Effect: "Allow",
  Principal: { Service: PODS_SERVICE },
  Action: POD_ACTIONS,
  Condition: {
    StringEquals: {
      [requestTag("eks-cluster-arn")]: clusterArn(place, cluster),
      [requestTag("kubernetes-namespace")]: namespace,
      [requestTag("kubernetes-service-account")]: oneOrMore(serviceAccounts),
    },
  },
});
