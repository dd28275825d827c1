import { type Account, globalArnOf } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import type { Identities, Role } from "../iam/identity.ts";

/** The instance profiles of the template. */
export class InstanceProfiles {
  readonly #account: Account;
  readonly #identities: Identities;
  /** The name of the role, by the profile's name. */
  readonly #roles = new Map<string, string>();

  constructor(account: Account, identities: Identities) {
    this.#account = account;
    this.#identities = identities;
  }

  /** The role of a profile. @throws Error if there is no such profile. */
  role(name: string): Role {
    const role = this.#roles.get(name);
    if (role !== undefined) return this.#identities.role(role);
    throw new Error(
      `no instance profile ${name}; there are ${[...this.#roles.keys()].join(", ") || "none"}`,
    );
  }

  readonly resources: ResourceTypes = {
    "AWS::IAM::InstanceProfile": {
      changes: { InstanceProfileName: "replace", Path: "replace", "*": "update" },
      create: (resource) => {
        const { InstanceProfileName = resource.physicalName(128) } = resource.properties as {
          InstanceProfileName?: string;
        };
        return this.#describe(InstanceProfileName, resource);
      },
      update: (resource, { ref }) => this.#describe(ref, resource),
      remove: ({ ref }) => {
        this.#roles.delete(ref);
      },
    },
  };

  #describe(name: string, { logicalId, properties }: Resource): Created {
    const { Roles = [] } = properties as { Roles?: readonly string[] };
    const [role] = Roles;
    if (role === undefined || Roles.length > 1)
      throw new Error(`instance profile ${logicalId} must have one role, got ${Roles.length}`);
    this.#roles.set(name, role);
    const arn = globalArnOf(this.#account, "iam", `instance-profile/${name}`);
    return { ref: name, attributes: { Arn: arn } };
  }
}
