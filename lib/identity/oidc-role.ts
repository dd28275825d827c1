import type { Construct } from "constructs";
import type { OidcIdentity } from "../../config/config.ts";
import { parseOidc } from "../../config/parts.ts";
import { type ConsumerRoleProps, splitProps } from "./identity-role.ts";
import { WebIdentityRole } from "./web-identity-role.ts";

/** Properties of an OidcRole. */
export type OidcRoleProps = OidcIdentity & ConsumerRoleProps;

/**
 * A role for callers with tokens of any OIDC issuer: exact `sub`, exact `aud`.
 */
export class OidcRole extends WebIdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: OidcRoleProps) {
    const [identity, rest] = splitProps(props);
    super(scope, id, parseOidc(id, identity), { description: `Mayfly: callers of ${id}`, ...rest });
  }
}
