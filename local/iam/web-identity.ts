import type { JWTPayload } from "jose";
import { GOOGLE } from "../../core/aws/trust/web-identity.ts";
import { issuerName } from "../../core/aws/workload-identity.ts";
import type { Clock } from "../clock.ts";
import { AwsError } from "../http/aws-error.ts";
import { claimsIn, expiry, type TokenCheck } from "../oidc/token-check.ts";
import type { Access } from "./access.ts";
import type { Identities, Role } from "./identity.ts";
import type { OidcProvider, OidcProviders } from "./oidc-providers.ts";

const REQUIRED = ["iss", "aud", "sub", "exp"] as const;

/** A token that STS takes. */
export interface CheckedToken {
  readonly provider: OidcProvider;
  readonly subject: string;
  /** The one that the provider knows. */
  readonly audience: string;
  /** For trust policies, e.g. `token.actions.githubusercontent.com:sub`. */
  readonly context: Readonly<Record<string, string>>;
}

/** What checking a token needs. */
export interface WebIdentityOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly providers: OidcProviders;
  readonly tokens: TokenCheck;
}

const invalid = (message: string): AwsError =>
  new AwsError("InvalidIdentityToken", message, { status: 400 });

/** Who holds a token of an OIDC provider, and whose role they may take. */
export class WebIdentity {
  readonly #options: WebIdentityOptions;

  constructor(options: WebIdentityOptions) {
    this.#options = options;
  }

  /** @throws AwsError `InvalidIdentityToken` or `ExpiredTokenException`, in AWS's words. */
  async check(token: string): Promise<CheckedToken> {
    const { clock, providers, tokens } = this.#options;
    const claims = claimsIn(token);
    if (claims === undefined)
      throw invalid(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
      );
    const { iss: issuer, sub: subject } = claims;
    const missing = REQUIRED.find((name) => claims[name] === undefined);
    if (issuer === undefined || subject === undefined || missing !== undefined)
      throw invalid(`Missing a required claim: ${missing}`);
    const ended = expiry(claims, clock);
    if (ended !== undefined)
      throw new AwsError(
        "ExpiredTokenException",
        `Token expired: current date/time ${ended.now} must be before the expiration date/time ${ended.exp}`,
        { status: 400 },
      );
    const provider = providers.find(issuer);
    if (provider === undefined)
      throw invalid(`No OpenIDConnect provider found in your account for ${issuer}`);
    const audience = [claims.aud]
      .flat()
      .find((each = "") => provider.clientIds?.includes(each) ?? true);
    if (audience === undefined) throw invalid("Incorrect token audience");
    const signature = await tokens.signature(token, issuer);
    if (signature === "no keys")
      throw invalid(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      );
    if (signature === "invalid") throw invalid("The signature of the token is invalid");
    return { provider, subject, audience, context: contextOf(claims, audience, issuer) };
  }

  /**
   * The role that a token may take.
   *
   * @throws AwsError `AccessDenied`, also for a role that does not exist.
   */
  async role(arn: string, { provider, context }: CheckedToken, sessionName: string): Promise<Role> {
    const { access, identities } = this.#options;
    const action = "sts:AssumeRoleWithWebIdentity";
    const role = identities.find(arn);
    const assumption = {
      principal: provider.arn,
      action,
      context: { ...context, "sts:RoleSessionName": sessionName },
    };
    if (role?.arn === arn && (await access.trustAllows(role, assumption))) return role;
    throw new AwsError("AccessDeniedException", `Not authorized to perform ${action}`);
  }
}

/**
 * Every claim that is a text and has no capital letter, as all have that AWS makes a key of: keys of
 * conditions have no case, so that `SUB` would take the place of `sub`. The simulation drops those that AWS makes no key of. If there is an
 * `azp`, IAM calls it `aud`, and the `aud` of Google's tokens `oaud` (IAM user guide, "Available keys
 * for AWS OIDC federation").
 */
export function contextOf(
  claims: JWTPayload,
  audience: string,
  issuer: string,
): Readonly<Record<string, string>> {
  const { azp = audience } = claims;
  const keys = { ...claims, aud: azp, ...(issuer === GOOGLE && { oaud: audience }) };
  const texts = Object.entries(keys).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === "string" && entry[0] === entry[0].toLowerCase(),
  );
  return Object.fromEntries(texts.map(([name, value]) => [`${issuerName(issuer)}:${name}`, value]));
}
