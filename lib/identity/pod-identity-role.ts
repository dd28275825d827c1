import { Token } from "aws-cdk-lib";
import { CfnPodIdentityAssociation } from "aws-cdk-lib/aws-eks";
import type { Construct } from "constructs";
import type { PodIdentity } from "../../config/config.ts";
import { parsePods } from "../../config/parts.ts";
import { type Pods, podIdentityTrust } from "../../core/aws/trust/pods.ts";
import { type ConsumerRoleProps, IdentityRole, placeOf, splitProps } from "./identity-role.ts";

/** Properties of a PodIdentityRole. */
export type PodIdentityRoleProps = PodIdentity & ConsumerRoleProps;

const ANY_CLUSTER = "cluster";

/** The cluster may be a token, such as the name of a cluster of the same app. */
const podsOf = (id: string, identity: PodIdentity): Pods =>
  Token.isUnresolved(identity.cluster)
    ? { ...parsePods(id, { ...identity, cluster: ANY_CLUSTER }), cluster: identity.cluster }
    : parsePods(id, identity);

/**
 * A role for pods of EKS by EKS Pod Identity, and its association with each of their service
 * accounts. The cluster must be in the stack's account and Region, and have the Pod Identity agent.
 */
export class PodIdentityRole extends IdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: PodIdentityRoleProps) {
    const [identity, rest] = splitProps(props);
    const pods = podsOf(id, identity);
    super(scope, id, podIdentityTrust(placeOf(scope), pods), {
      description: `Mayfly: pods of ${id}`,
      ...rest,
    });
    for (const serviceAccount of pods.serviceAccounts)
      new CfnPodIdentityAssociation(this, `association.${serviceAccount}`, {
        clusterName: pods.cluster,
        namespace: pods.namespace,
        serviceAccount,
        roleArn: this.roleArn,
      });
  }
}
