import type { Stack } from "aws-cdk-lib";

/** Who may use an alias, in the words of its policy's condition. */
export interface AllowedCallers {
  /** The operator under which everybody else matches. */
  readonly operator: "StringNotEquals" | "ArnNotLike";
  /** Values of `aws:PrincipalArn`: a role's ARN, or patterns of it. */
  readonly arns: string | readonly string[];
}

/**
 * A role whose policies this app cannot change. The alias refuses everybody else; the permission to
 * invoke it must be given elsewhere, by whoever owns the role.
 */
export interface RoleElsewhere {
  /** The same text for the same role. */
  readonly roleElsewhere: string;
  /** Where the permission is given, for people. */
  readonly owner: string;
  /** Seen from the stack of an alias. */
  allowedBy(stack: Stack): AllowedCallers;
  /** The role's ARN if it is of another account: the alias's policy must allow it too. */
  readonly foreignArn?: string;
}
