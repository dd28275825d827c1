import { Stack, Token } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { ParsedWebIdentity } from "../../config/config.ts";
import { oidcProviderArn, webIdentityTrust } from "../../core/aws/trust/web-identity.ts";
import { requireAccount } from "./attachable.ts";
import { type ConsumerRoleProps, IdentityRole, placeOf } from "./identity-role.ts";
import { OidcProvider } from "./oidc-provider.ts";

/** The account must have the provider: IAM asks no provider of another account. */
function checkProvider(scope: Construct, { issuer, providerAccount }: ParsedWebIdentity): void {
  const { account, partition } = Stack.of(scope);
  if (providerAccount === undefined || providerAccount === account) return;
  if (Token.isUnresolved(account)) {
    requireAccount(
      Stack.of(scope),
      providerAccount,
      `uses an OIDC provider of account ${providerAccount}; deploy it there, or write the issuer's URL`,
    );
    return;
  }
  const found = oidcProviderArn({ partition: "aws", account: providerAccount }, issuer);
  throw new Error(
    `${found} is a provider of account ${providerAccount}, and a role of account ${account} needs ${oidcProviderArn({ account, partition }, issuer)}; write the issuer's URL, and newProvider: true if the account has no such provider`,
  );
}

/** A role for callers with tokens of an OIDC issuer: exact `aud`, exact `sub`. */
export class WebIdentityRole extends IdentityRole {
  constructor(
    scope: Construct,
    id: string,
    webIdentity: ParsedWebIdentity,
    props: ConsumerRoleProps,
  ) {
    checkProvider(scope, webIdentity);
    super(scope, id, webIdentityTrust(placeOf(scope), webIdentity), props);
    const { issuer, audience, newProvider } = webIdentity;
    if (newProvider) this.node.addDependency(OidcProvider.of(this, issuer, audience));
  }
}
