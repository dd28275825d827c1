import { POD_ACTIONS, PODS_SERVICE, type Pod } from "../../core/aws/workload-identity.ts";
import { type Account, arnOf, randomEnd } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import type { PolicyDocument, Role } from "../iam/identity.ts";
import type { ServiceRoles } from "../iam/service-roles.ts";

/** Which role the pods of a service account have. */
export interface Association {
  readonly cluster: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly roleArn: string;
  /** False: sessions get no tags. */
  readonly tagsSessions: boolean;
}

const UNSUPPORTED = ["TargetRoleArn", "Policy"];

/** The Pod Identity associations of the template. */
export class PodIdentityAssociations {
  readonly #account: Account;
  readonly #roles: ServiceRoles;
  /** By logical id. */
  readonly #associations = new Map<string, Association>();

  constructor(account: Account, roles: ServiceRoles) {
    this.#account = account;
    this.#roles = roles;
  }

  /** The association of a pod. */
  find(cluster: string, pod: Pick<Pod, "namespace" | "serviceAccount">): Association | undefined {
    return [...this.#associations.values()].find(
      (each) =>
        each.cluster === cluster &&
        each.namespace === pod.namespace &&
        each.serviceAccount === pod.serviceAccount,
    );
  }

  readonly resources: ResourceTypes = {
    "AWS::EKS::PodIdentityAssociation": {
      changes: {
        ClusterName: "replace",
        Namespace: "replace",
        ServiceAccount: "replace",
        "*": "update",
      },
      create: (resource) => this.#create(resource),
      update: (resource, { ref, attributes = {} }) => {
        this.#associations.set(resource.logicalId, this.#described(resource));
        return { ref, attributes };
      },
      remove: ({ logicalId }) => {
        this.#associations.delete(logicalId);
      },
    },
  };

  #create(resource: Resource): Created {
    const association = this.#described(resource);
    if (this.find(association.cluster, association) !== undefined)
      throw new Error(
        `ResourceInUseException: Association already exists: ${resource.logicalId}, for ${association.namespace}/${association.serviceAccount} of ${association.cluster}`,
      );
    this.#associations.set(resource.logicalId, association);
    const id = `a-${randomEnd(17).toLowerCase()}`;
    const arn = arnOf(this.#account, "eks", `podidentityassociation/${association.cluster}/${id}`);
    return { ref: arn, attributes: { AssociationArn: arn, AssociationId: id } };
  }

  #described({ logicalId, properties }: Resource): Association {
    const unsupported = UNSUPPORTED.filter((each) => each in properties);
    if (unsupported.length > 0)
      throw new Error(
        `${logicalId}: the local runner has Pod Identity associations without ${unsupported.join(", ")}`,
      );
    const { ClusterName, Namespace, ServiceAccount, RoleArn, DisableSessionTags } =
      properties as Record<string, string>;
    const roleArn = String(RoleArn);
    const role = this.#roles.find(roleArn);
    if (role !== undefined && !trustsPods(role))
      throw new Error(
        `InvalidParameterException: Trust policy of the role provided is invalid: ${logicalId}, ${roleArn}`,
      );
    return {
      cluster: String(ClusterName),
      namespace: String(Namespace),
      serviceAccount: String(ServiceAccount),
      roleArn,
      tagsSessions: String(DisableSessionTags) !== "true",
    };
  }
}

interface Statement {
  readonly Effect: string;
  readonly Principal?: { readonly Service?: string | readonly string[] };
  readonly Action?: string | readonly string[];
}

/** EKS looks at service and actions when it makes an association, and at conditions later. */
function trustsPods({ trust }: Pick<Role, "trust">): boolean {
  const allowed = ([(trust as PolicyDocument).Statement].flat() as Statement[])
    .filter(({ Effect, Principal }) => {
      const services: readonly unknown[] = [Principal?.Service].flat();
      return Effect === "Allow" && services.includes(PODS_SERVICE);
    })
    .flatMap(({ Action }) => [Action].flat());
  return POD_ACTIONS.every((action) =>
    allowed.some((each) => each === action || each === "sts:*" || each === "*"),
  );
}
