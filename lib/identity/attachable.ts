import { Aws, CfnRule, Fn, Stack, Token } from "aws-cdk-lib";
import { type CfnPolicy, type IRole, Policy, Role } from "aws-cdk-lib/aws-iam";
import { parseRoleArn, reservedRole } from "../../core/aws/iam-role.ts";

const PROBE = "MayflyCanAttach";
const checked = new WeakSet<IRole>();

/** True for a role of another account than a stack's, as far as both are known. */
export function isForeign({ principalAccount }: IRole, stack: Stack): boolean {
  if (principalAccount === undefined) return false;
  if (Token.isUnresolved(principalAccount) || Token.isUnresolved(stack.account)) return false;
  return principalAccount !== stack.account;
}

/**
 * Check that CDK attaches policies to a role. To some imported roles it attaches none, without a
 * word.
 *
 * @throws Error if the role is of another account than the stack it was imported in, was imported
 *   with `mutable: false`, or is one that AWS keeps for itself.
 */
export function checkAttachable(role: IRole): void {
  // not by class: a project may have aws-cdk-lib twice
  if (Role.isRole(role) || checked.has(role)) return;
  const { node, roleArn } = role;
  const stack = Stack.of(role);
  const known = parseRoleArn(roleArn);
  const reserved = known && reservedRole(known);
  if (reserved !== undefined) throw new Error(faultOfReserved(roleArn, reserved));
  if (isForeign(role, stack))
    throw new Error(
      `${node.path} is a role of account ${role.principalAccount}, imported in a stack of account ${stack.account}: CDK attaches no policy to it; import it in a stack of its own account, or pass new OtherAccountRole("${roleArn}") and attach the policy there`,
    );
  if (!attaches(role))
    throw new Error(
      `${node.path} (${roleArn}) is imported so that CDK attaches no policy to it; import it without mutable: false`,
    );
  requireAccountOf(stack, role);
  checked.add(role);
}

function faultOfReserved(
  roleArn: string,
  reserved: NonNullable<ReturnType<typeof reservedRole>>,
): string {
  switch (reserved) {
    case "identity-center":
      return `${roleArn} is a role of Identity Center, to which IAM lets nobody attach a policy, and its ARN changes; pass new IdentityCenterRole({ permissionSet: "…" })`;
    case "service-linked":
      return `${roleArn} is a service-linked role, to which IAM lets nobody attach a policy; give the workload a role of its own`;
  }
}

/** Whether a policy has the role after it was attached to it. The policy is taken out again. */
function attaches(role: IRole): boolean {
  const probe = new Policy(role as IRole & Policy, PROBE);
  role.attachInlinePolicy(probe);
  const { roles } = probe.node.defaultChild as CfnPolicy;
  const attached = Stack.of(probe).resolve(roles) !== undefined;
  role.node.tryRemoveChild(PROBE);
  return attached;
}

const outermost = (stack: Stack): Stack =>
  stack.nestedStackParent === undefined ? stack : outermost(stack.nestedStackParent);

/**
 * If nobody knows the stack's account yet, CloudFormation checks it.
 *
 * @param needs what the stack does with that account, and the remedy.
 */
export function requireAccount(stack: Stack, wanted: string, needs: string): void {
  const { node, account } = outermost(stack);
  const id = `RolesOfAccount${wanted}`;
  if (!Token.isUnresolved(account) || node.tryFindChild(id) !== undefined) return;
  new CfnRule(outermost(stack), id, {
    assertions: [
      {
        assert: Fn.conditionEquals(Aws.ACCOUNT_ID, wanted),
        assertDescription: `This stack ${needs}`,
      },
    ],
  });
}

/** A policy names roles without their account, and would be attached to another of the same name. */
function requireAccountOf(stack: Stack, { principalAccount }: IRole): void {
  if (principalAccount === undefined || Token.isUnresolved(principalAccount)) return;
  requireAccount(
    stack,
    principalAccount,
    `attaches policies to roles of account ${principalAccount}; deploy it there, or write otherAccountRoleArn`,
  );
}
