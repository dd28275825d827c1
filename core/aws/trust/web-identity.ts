import { issuerName } from "../workload-identity.ts";
import { oneOrMore, type RolePlace, type TrustStatement } from "./statement.ts";

/** Callers that a web identity's issuer vouches for. */
export interface WebIdentity {
  /** The `iss` of its tokens: `https://`, host and path, exactly as the token has it. */
  readonly issuer: string;
  /** The `aud` of its tokens. */
  readonly audience: string;
  /** The `sub` of each caller; at least one. */
  readonly subjects: readonly string[];
}

/** Google's issuer, which IAM knows without a provider. */
export const GOOGLE = "https://accounts.google.com";

/** ARN of the account's OIDC provider of an issuer. */
export const oidcProviderArn = (
  { partition, account }: Pick<RolePlace, "partition" | "account">,
  issuer: string,
): string => `arn:${partition}:iam::${account}:oidc-provider/${issuerName(issuer)}`;

/** The issuer of an OIDC provider. Undefined if the text is no provider's ARN. */
export function issuerOf(
  providerArn: string,
): { readonly account: string; readonly issuer: string } | undefined {
  const [, account, name] =
    /^arn:aws[a-z-]*:iam::(\d{12}):oidc-provider\/(\S+)$/.exec(providerArn) ?? [];
  if (account === undefined || name === undefined) return undefined;
  return { account, issuer: `https://${name}` };
}

/**
 * Whether a condition's value stands for more than itself: `*` and `?` are wildcards, or, under
 * `StringEquals`, characters that no token has; `${…}` is a policy variable.
 */
export const hasWildcard = (text: string): boolean => /[*?]|\$\{/.test(text);

/**
 * The trust of callers with these tokens: exact `aud`, exact `sub`. If Google's tokens are of a
 * service account, IAM calls their `azp` `aud` and their `aud` `oaud` (IAM User Guide, "Available
 * keys for AWS OIDC federation"); the `azp` is the account's unique id, as is the `sub`.
 */
export function webIdentityTrust(
  place: Pick<RolePlace, "partition" | "account">,
  { issuer, audience, subjects }: WebIdentity,
): TrustStatement {
  const key = issuerName(issuer);
  const values = oneOrMore(subjects);
  const google = issuer === GOOGLE;
  return {
    Effect: "Allow",
    Principal: { Federated: google ? key : oidcProviderArn(place, issuer) },
    Action: "sts:AssumeRoleWithWebIdentity",
    Condition: {
      StringEquals: google
        ? { [`${key}:aud`]: values, [`${key}:oaud`]: audience, [`${key}:sub`]: values }
        : { [`${key}:aud`]: audience, [`${key}:sub`]: values },
    },
  };
}
