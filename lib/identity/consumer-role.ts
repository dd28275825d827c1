import { createHash } from "node:crypto";
import { CfnOutput, type Stack } from "aws-cdk-lib";
import {
  AccountRootPrincipal,
  type IPrincipal,
  type IRole,
  Role,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import { type ParsedIdentity, pascal } from "../../config/config.ts";
import { consumerRoleName } from "../functions/physical-names.ts";

/** The identity of a consumer outside the sandbox. */
export type RoleIdentity = Exclude<ParsedIdentity, { readonly kind: "sandbox" }>;

/** The service that lets pods of EKS assume roles; it also tags their sessions. */
const EKS_PODS = /^pods\.eks\.amazonaws\.com(?:\.cn)?$/;

function trusted(assumedBy: string): IPrincipal {
  if (assumedBy === "account") return new AccountRootPrincipal();
  const service = new ServicePrincipal(assumedBy);
  return EKS_PODS.test(assumedBy) ? service.withSessionTags() : service;
}

/** The IAM roles of consumers: roles that exist, each imported once, and new ones. */
export class ConsumerRoles {
  readonly #stackName: string;
  readonly #stackOf: (name: string) => Stack;
  readonly #existing = new Map<string, IRole>();

  /**
   * @param stackName name of the first stack, also if the roles are in others.
   * @param stackOf the stack for the role of a consumer, or for the policies of a role's ARN.
   */
  constructor(stackName: string, stackOf: (name: string) => Stack) {
    this.#stackName = stackName;
    this.#stackOf = stackOf;
  }

  /** The role of a consumer: an existing role, or a new one with its ARN as an output. */
  of(consumer: string, identity: RoleIdentity): IRole {
    switch (identity.kind) {
      case "roleArn":
        return this.#existingRole(identity.value);
      case "newRole":
        return this.#newRole(consumer, identity.value.assumedBy);
      default:
        throw new Error(`${JSON.stringify(identity satisfies never)} is no identity`);
    }
  }

  /**
   * Two consumers may have one role, whose policies must share IAM's limit. Only the ARN decides the
   * id and the stack, so that each consumer may come and go.
   */
  #existingRole(arn: string): IRole {
    const id = `existing-role.${createHash("sha256").update(arn).digest("hex").slice(0, 8)}`;
    const role = this.#existing.get(arn) ?? Role.fromRoleArn(this.#stackOf(arn), id, arn);
    this.#existing.set(arn, role);
    return role;
  }

  #newRole(consumer: string, assumedBy: string): IRole {
    const stack = this.#stackOf(consumer);
    const role = new Role(stack, `consumer-${consumer}`, {
      roleName: consumerRoleName(this.#stackName, consumer),
      description: `Mayfly: consumer ${consumer}`,
      assumedBy: trusted(assumedBy),
    });
    new CfnOutput(stack, `${pascal(consumer)}RoleArn`, { value: role.roleArn });
    return role;
  }
}
