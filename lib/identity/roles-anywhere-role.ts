import { Arn, ArnFormat, Names, Stack, Token } from "aws-cdk-lib";
import { CfnProfile } from "aws-cdk-lib/aws-rolesanywhere";
import type { Construct } from "constructs";
import type { RolesAnywhereIdentity } from "../../config/config.ts";
import { parseRolesAnywhere } from "../../config/parts.ts";
import { rolesAnywhereTrust } from "../../core/aws/trust/roles-anywhere.ts";
import { type ConsumerRoleProps, IdentityRole, splitProps } from "./identity-role.ts";

/** Properties of a RolesAnywhereRole. */
export type RolesAnywhereRoleProps = RolesAnywhereIdentity & ConsumerRoleProps;

/** The profile is in the stack's Region, and a session needs all three in one. */
function checkAnchor(scope: Construct, trustAnchorArn: string): void {
  const { account, region } = Stack.of(scope);
  const anchor = Arn.split(trustAnchorArn, ArnFormat.SLASH_RESOURCE_NAME);
  for (const [what, here, there] of [
    ["account", account, anchor.account],
    ["Region", region, anchor.region],
  ])
    if (!Token.isUnresolved(here) && here !== there)
      throw new Error(
        `the trust anchor ${trustAnchorArn} is in ${what} ${there}, and ${Stack.of(scope).stackName} in ${here}; name one of ${here}`,
      );
}

/**
 * A role for a machine outside AWS that has a certificate, and the profile by which IAM Roles
 * Anywhere gives it sessions.
 */
export class RolesAnywhereRole extends IdentityRole {
  /** ARN of the profile, for the machine's credential helper. */
  readonly profileArn: string;

  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: RolesAnywhereRoleProps) {
    const [identity, rest] = splitProps(props);
    const machine = parseRolesAnywhere(id, identity);
    checkAnchor(scope, machine.trustAnchorArn);
    super(scope, id, rolesAnywhereTrust(machine), {
      description: `Mayfly: machine ${id}`,
      ...rest,
    });
    const profile = new CfnProfile(this, "Profile", {
      name: Names.uniqueResourceName(this, { maxLength: 100 }),
      roleArns: [this.roleArn],
      enabled: true,
    });
    this.profileArn = profile.attrProfileArn;
  }
}
