import type {
  CallerFact,
  IdentityFacts,
  TrustStatement,
} from "../../../../core/doctor/identity/identity-facts.ts";
import { ISSUER, irsaStatement, ROLE } from "../healthy.ts";

export const failed = (name: string, message: string): CallerFact => ({
  kind: "failed",
  name,
  message,
  isNetwork: false,
});

export const DENIED = failed(
  "AccessDenied",
  "Not authorized to perform sts:AssumeRoleWithWebIdentity",
);
export const NO_CREDENTIALS = failed(
  "CredentialsProviderError",
  "Could not load credentials from any providers",
);

export const trusting = (...statements: readonly TrustStatement[]) => ({
  roleArn: ROLE,
  statements,
});
export const claims = (sub: string, aud: string, issuer = ISSUER) =>
  irsaStatement({ [`${issuer}:sub`]: sub, [`${issuer}:aud`]: aud });
export const STS = "sts.amazonaws.com";

/** A symptom that engineers meet, by one of its causes, from what an engineer has. */
export interface Row {
  readonly row: string;
  readonly facts: IdentityFacts;
  /** The check that names the cause. */
  readonly check: string;
  /** What the evidence shows. */
  readonly shows: RegExp;
  /** What the fix names: setting and value. */
  readonly mends: RegExp;
}
