import type { Stack } from "aws-cdk-lib";
import type { IdentityCenterIdentity } from "../../config/config.ts";
import { parseIdentityCenter } from "../../config/parts.ts";
import { permissionSetRoles } from "../../core/aws/iam-role.ts";
import type { AllowedCallers, RoleElsewhere } from "./role-elsewhere.ts";

/**
 * People of IAM Identity Center who have a permission set in the account of the database. Nobody may
 * change their role, and its ARN changes: so the alias matches the ARN's pattern, and the permission
 * set itself needs an inline policy that allows `lambda:InvokeFunction` on the grant's `aliasArn`.
 */
export class IdentityCenterRole implements RoleElsewhere {
  readonly roleElsewhere: string;
  readonly owner: string;
  readonly #permissionSet: string;

  /** @throws ConfigError if the name is not a permission set's. */
  constructor(props: IdentityCenterIdentity) {
    this.#permissionSet = parseIdentityCenter("permissionSet", props).permissionSet;
    this.roleElsewhere = `permission set ${this.#permissionSet}`;
    this.owner = `permission set ${this.#permissionSet}`;
  }

  allowedBy({ partition, account }: Stack): AllowedCallers {
    const arns = permissionSetRoles({ partition, account }, this.#permissionSet);
    return { operator: "ArnNotLike", arns };
  }
}
