import type { Construct } from "constructs";
import type { IrsaIdentity } from "../../config/config.ts";
import { parseIrsa } from "../../config/parts.ts";
import { type ConsumerRoleProps, splitProps } from "./identity-role.ts";
import { WebIdentityRole } from "./web-identity-role.ts";

/** Properties of an IrsaRole. */
export type IrsaRoleProps = IrsaIdentity & ConsumerRoleProps;

/**
 * A role for pods of EKS by IRSA (IAM roles for service accounts): annotate their service account
 * with `eks.amazonaws.com/role-arn`. For a cluster of the same app, pass the role of CDK's
 * `ServiceAccount` to `addConsumer` instead: its issuer is known only at deployment.
 */
export class IrsaRole extends WebIdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: IrsaRoleProps) {
    const [identity, rest] = splitProps(props);
    super(scope, id, parseIrsa(id, identity), { description: `Mayfly: pods of ${id}`, ...rest });
  }
}
