import { Stack, Token } from "aws-cdk-lib";
import { Grant, type IGrantable, type IRole } from "aws-cdk-lib/aws-iam";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";
import type { IConstruct } from "constructs";

/** What a policy must name: secrets known by name lack their last six. */
export const arnOf = (secret: ISecret): string =>
  secret.secretFullArn ?? `${secret.secretArn}-??????`;

/**
 * What a function asks Secrets Manager for: the ARN, or the name of a secret that is known by it. A
 * partial ARN will not do: one that ends in a hyphen and six characters is taken for another secret's.
 */
export const secretIdOf = (secret: ISecret): string =>
  secret.secretFullArn === undefined ? secret.secretName : secret.secretArn;

/** True for a role that is known to be another account's, where no policy can be attached. */
export function isForeign({ principalAccount }: IRole, stack: Stack): boolean {
  if (principalAccount === undefined) return false;
  if (Token.isUnresolved(principalAccount) || Token.isUnresolved(stack.account)) return false;
  return principalAccount !== stack.account;
}

/**
 * Let an identity use a secret's own key, if it has one, for this secret's service and nothing else.
 * By its own policy alone: a key that is imported, or of another stack, has none to add to.
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
 * Let an identity read one secret, and no other.
 *
 * @throws Error for one to which no policy can be attached.
 */
export function grantReadOf(scope: IConstruct, identity: IGrantable, secret: ISecret): Grant {
  const { grantPrincipal } = identity;
  const foreign = isRole(grantPrincipal) && isForeign(grantPrincipal, Stack.of(scope));
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
