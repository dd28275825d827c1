import { InstanceProfile } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { ec2Trust } from "../../core/aws/trust/services.ts";
import { type ConsumerRoleProps, IdentityRole } from "./identity-role.ts";

/** A role for EC2 instances, and the instance profile that gives it to them. */
export class Ec2Role extends IdentityRole {
  readonly instanceProfile: InstanceProfile;

  constructor(scope: Construct, id: string, props: ConsumerRoleProps = {}) {
    super(scope, id, ec2Trust(), { description: `Mayfly: instances of ${id}`, ...props });
    this.instanceProfile = new InstanceProfile(this, "Profile", { role: this });
  }
}
