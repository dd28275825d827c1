import type { Stack } from "aws-cdk-lib";
import { parseRoleArn, reservedRole } from "../../core/aws/iam-role.ts";
import type { AllowedCallers, RoleElsewhere } from "./role-elsewhere.ts";

/**
 * A role of another account that this app does not make. In its account it needs a policy that
 * allows `lambda:InvokeFunction` on the grant's `aliasArn`, and it must exist before the grant.
 */
export class OtherAccountRole implements RoleElsewhere {
  readonly roleElsewhere: string;
  readonly foreignArn: string;
  readonly owner: string;

  /** @throws Error if the text is not a role's ARN, or of a role that AWS keeps for itself. */
  constructor(roleArn: string) {
    const role = parseRoleArn(roleArn);
    if (role === undefined)
      throw new Error(
        `"${roleArn}" is not a role's ARN; write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting`,
      );
    if (reservedRole(role) !== undefined)
      throw new Error(
        `"${roleArn}" is a role that AWS keeps for itself, and IAM lets nobody attach a policy to it; give the workload a role of its own`,
      );
    this.roleElsewhere = roleArn;
    this.foreignArn = roleArn;
    this.owner = `account ${role.account}`;
  }

  /** @throws Error if the role is of the alias's own account. */
  allowedBy({ account }: Stack): AllowedCallers {
    if (parseRoleArn(this.foreignArn)?.account === account)
      throw new Error(
        `${this.foreignArn} is a role of this account; write roleArn, or import it with Role.fromRoleArn, and its policy is attached`,
      );
    return { operator: "StringNotEquals", arns: this.foreignArn };
  }
}
