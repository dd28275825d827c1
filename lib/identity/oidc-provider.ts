import { createHash } from "node:crypto";
import { Lazy, RemovalPolicy, Stack } from "aws-cdk-lib";
import { CfnOIDCProvider } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

/** An account has one provider of an issuer, so nested stacks share the outermost stack's. */
const outermost = (stack: Stack): Stack =>
  stack.nestedStackParent === undefined ? stack : outermost(stack.nestedStackParent);

/** IAM's OIDC provider of one issuer: one in a stack, for all audiences. */
export class OidcProvider extends Construct {
  readonly #audiences = new Set<string>();

  private constructor(scope: Construct, id: string, issuer: string) {
    super(scope, id);
    const provider = new CfnOIDCProvider(this, "Resource", {
      url: issuer,
      clientIdList: Lazy.list({ produce: () => [...this.#audiences] }),
    });
    // roles of the whole account may trust it, also when nobody of this stack does any more
    provider.applyRemovalPolicy(RemovalPolicy.RETAIN);
  }

  /** The provider for tokens of an issuer with this audience, made at the first call. */
  static of(scope: Construct, issuer: string, audience: string): OidcProvider {
    const stack = outermost(Stack.of(scope));
    const digest = createHash("sha256").update(issuer).digest("hex").slice(0, 8);
    const id = `oidc-provider.${digest}`;
    const known = stack.node.tryFindChild(id);
    const provider = known instanceof OidcProvider ? known : new OidcProvider(stack, id, issuer);
    provider.#audiences.add(audience);
    return provider;
  }
}
