import * as v from "valibot";
import type { WebIdentity } from "../../core/aws/trust/web-identity.ts";
import { boolean, text } from "../schema/fields.ts";
import { exact } from "./exact.ts";

/**
 * `https://`, a host, and perhaps a path. IAM allows no port and no query. A slash at the end belongs
 * to the path: issuers such as Entra's have one.
 */
export const ISSUER = /^https:\/\/[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:(?:\/[\w.~%-]+)+\/?)?$/;

export const issuer = text(
  ISSUER,
  "is not an issuer",
  'write the "iss" of its tokens: https://, host and path, no port and no query',
);

export const audience = exact({
  pattern: /^[\x21-\x7e]{1,255}$/,
  fault: "is not an audience",
  remedy: 'write the "aud" of its tokens, e.g. "sts.amazonaws.com"',
  anybody: "tokens that are meant for other services",
});

export const newProviderEntry = {
  /**
   * The stack makes IAM's OIDC provider of this issuer. An account has one provider of an issuer at
   * most.
   * @default false - the account has it already
   */
  newProvider: v.optional(boolean(), false),
};

/** Callers with tokens of an issuer, and whether the stack makes its provider. */
export interface ParsedWebIdentity extends WebIdentity {
  readonly newProvider: boolean;
  /** The account in a provider's ARN. Undefined if none was written. */
  readonly providerAccount?: string;
}
