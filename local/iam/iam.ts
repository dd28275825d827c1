import { AwsError, refuseMembers } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "./access.ts";
import type { Identities, PolicyDocument, Role, Session } from "./identity.ts";

interface RoleInput {
  readonly RoleName: string;
}

interface PolicyInput extends RoleInput {
  readonly PolicyName: string;
}

/** AWS IAM, for programs that read roles. */
export function makeIam(access: Access, identities: Identities): Service {
  const find = async (caller: Session, action: string, name: string): Promise<Role> => {
    const role = identities.named(name);
    const resource = role?.arn ?? identities.arnOf(name);
    await access.authorize(caller, { action: `iam:${action}`, resource });
    if (role !== undefined) return role;
    throw missing(`The role with name ${name} cannot be found.`);
  };
  return queryService("iam", "https://iam.amazonaws.com/doc/2010-05-08/", {
    GetRole: operation<RoleInput>(async ({ RoleName }, caller) => {
      const role = await find(caller, "GetRole", RoleName);
      return {
        Role: {
          Path: "/",
          RoleName: role.name,
          RoleId: role.id,
          Arn: role.arn,
          CreateDate: role.createdAt,
          AssumeRolePolicyDocument: encoded(role.trust),
          MaxSessionDuration: role.maxSessionSeconds,
        },
      };
    }),
    ListRolePolicies: operation<RoleInput>(async (input, caller) => {
      refuseMembers("iam", "ListRolePolicies", input, ["Marker", "MaxItems"]);
      const { policies } = await find(caller, "ListRolePolicies", input.RoleName);
      const names = policies.flatMap(({ policyName = [] }) => policyName).toSorted();
      return { PolicyNames: { member: names }, IsTruncated: false };
    }),
    GetRolePolicy: operation<PolicyInput>(async ({ RoleName, PolicyName }, caller) => {
      const { policies } = await find(caller, "GetRolePolicy", RoleName);
      const found = policies.find(({ policyName }) => policyName === PolicyName);
      if (found === undefined)
        throw missing(`The role policy with name ${PolicyName} cannot be found.`);
      return { RoleName, PolicyName, PolicyDocument: encoded(found.policy) };
    }),
  });
}

/** IAM encodes documents as in URLs. */
const encoded = (document: PolicyDocument): string => encodeURIComponent(JSON.stringify(document));

const missing = (message: string): AwsError =>
  new AwsError("NoSuchEntity", message, { status: 404 });
