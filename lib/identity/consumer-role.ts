import { CfnOutput } from "aws-cdk-lib";
import {
  AccountRootPrincipal,
  type IPrincipal,
  type IRole,
  Role,
  ServicePrincipal,
} from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
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

/**
 * The IAM role of a consumer: an existing role, or a new one with its ARN as an output.
 *
 * @param stackName name of the first stack, also if the role is in another stack.
 */
export function consumerRole(
  scope: Construct,
  consumer: string,
  identity: RoleIdentity,
  stackName: string,
): IRole {
  const id = `consumer-${consumer}`;
  switch (identity.kind) {
    case "roleArn":
      return Role.fromRoleArn(scope, id, identity.value);
    case "newRole": {
      const role = new Role(scope, id, {
        roleName: consumerRoleName(stackName, consumer),
        description: `Mayfly: consumer ${consumer}`,
        assumedBy: trusted(identity.value.assumedBy),
      });
      new CfnOutput(scope, `${pascal(consumer)}RoleArn`, { value: role.roleArn });
      return role;
    }
    default:
      throw new Error(`${JSON.stringify(identity satisfies never)} is no identity`);
  }
}
