import { Stack } from "aws-cdk-lib";
import { Grant, type IGrantable, type IRole } from "aws-cdk-lib/aws-iam";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IConstruct } from "constructs";
import { checkAttachable, isForeign } from "../identity/attachable.ts";
import { watchPolicyLimits } from "../roles/policy-limits.ts";

/** The ARN for a policy. A secret imported by name lacks the six characters at the end. */
export const arnOf = (secret: ISecret): string =>
  secret.secretFullArn ?? `${secret.secretArn}-??????`;

/**
 * The `SecretId` that a function sends: the ARN, or the name of a secret imported by name. Not a
 * partial ARN: Secrets Manager takes one that ends in a hyphen and six characters for a complete
 * ARN.
 */
export const secretIdOf = (secret: ISecret): string =>
  secret.secretFullArn === undefined ? secret.secretName : secret.secretArn;

/**
 * Allow an identity to use a secret's own key, if it has one, through Secrets Manager only. The
 * permission is in the identity's policy: the policy of an imported key cannot be changed.
 */
export function grantKey(
  scope: IConstruct,
  grantee: IGrantable,
  secret: ISecret,
  actions: readonly string[],
): void {
  const { encryptionKey } = secret;
  if (encryptionKey === undefined) return;
  const { region, urlSuffix } = Stack.of(scope);
  Grant.addToPrincipal({
    grantee,
    actions: [...actions],
    resourceArns: [encryptionKey.keyArn],
    conditions: { StringEquals: { "kms:ViaService": `secretsmanager.${region}.${urlSuffix}` } },
  });
}

const isRole = (identity: object): identity is IRole => "roleArn" in identity;

/**
 * Allow an identity to read one secret.
 *
 * @throws Error if no policy can be attached to the identity.
 */
export function grantReadOf(scope: IConstruct, identity: IGrantable, secret: ISecret): Grant {
  const { grantPrincipal } = identity;
  const foreign = isRole(grantPrincipal) && isForeign(grantPrincipal, Stack.of(scope));
  if (isRole(grantPrincipal) && !foreign) {
    checkAttachable(grantPrincipal);
    watchPolicyLimits(grantPrincipal);
  }
  const grant = Grant.addToPrincipal({
    grantee: identity,
    actions: ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
    resourceArns: [arnOf(secret)],
  });
  if (foreign || !grant.success)
    throw new Error(
      `${scope.node.path} cannot be made readable for ${JSON.stringify(grantPrincipal.policyFragment.principalJson)}: no policy can be attached to it; pass a role of the stack's account`,
    );
  grantKey(scope, identity, secret, ["kms:Decrypt"]);
  return grant;
}
