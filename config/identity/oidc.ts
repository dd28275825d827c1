import * as v from "valibot";
import { GOOGLE } from "../../core/aws/trust/web-identity.ts";
import { list, object, ruled, says } from "../schema/fields.ts";
import { checkOneOf, exact } from "./exact.ts";
import { audience, issuer, newProviderEntry, type ParsedWebIdentity } from "./issuer.ts";

const subject = exact({
  pattern: /^[\x20-\x7e]{1,512}$/,
  fault: "is not a subject",
  remedy: 'write the whole "sub" of its tokens; list several in subjects',
  anybody: "every caller of the issuer whose subject fits",
});

interface OidcFields {
  readonly issuer?: string;
  readonly newProvider?: boolean;
}

/** Callers with tokens of any OIDC issuer: a self-managed Kubernetes, GCP, Azure, another CI. */
export const oidcSchema = ruled(
  object(
    {
      /** The `iss` of the tokens, exactly. */
      issuer,
      /** The `sub` of the caller's tokens, or write several in `subjects`. */
      subject: v.optional(subject),
      /** The `sub` of several callers. */
      subjects: v.optional(list("list them", subject)),
      /** The `aud` of the tokens. */
      audience,
      ...newProviderEntry,
    },
    "write { issuer, subject, audience }",
  ),
  (fields: OidcFields, report) => {
    checkOneOf({ ...fields }, ["subject", "subjects"], 'subject: "…"', report);
    if (fields.issuer === GOOGLE && fields.newProvider === true)
      report(["newProvider"], says("is not needed: IAM knows Google's issuer", "remove it"));
  },
);

export const toOidc = ({
  issuer: iss,
  subject: one,
  subjects = [],
  audience: aud,
  newProvider,
}: v.InferOutput<typeof oidcSchema>): ParsedWebIdentity => ({
  issuer: iss,
  audience: aud,
  subjects: one === undefined ? subjects : [one],
  newProvider,
});

/** What is written of callers of an OIDC issuer. */
export type OidcIdentity = v.InferInput<typeof oidcSchema>;
