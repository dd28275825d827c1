import type { Finding } from "../finding.ts";
import type { Found } from "../found.ts";
import { caller, credentialSource, region, stsEndpoint } from "./caller-rules.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import {
  executionRole,
  hopLimit,
  instanceRole,
  nodeRole,
  serviceTrust,
  taskRole,
} from "./instance-rules.ts";
import { annotation, kubernetes, podAge, serviceAccount, webhook } from "./kubernetes-rules.ts";
import { jobToken } from "./pipeline-rules.ts";
import {
  podIdentityAgent,
  podIdentityAssociation,
  podIdentityTrust,
  sdk,
} from "./pod-identity-rules.ts";
import {
  anywhereProfile,
  anywhereTrust,
  machineCertificate,
  trustAnchor,
} from "./roles-anywhere-rules.ts";
import {
  oidcAudience,
  oidcProvider,
  tokenAudience,
  tokenExpiry,
  tokenFile,
} from "./token-rules.ts";
import { trustExcess } from "./trust-excess.ts";
import {
  trustAudience,
  trustCluster,
  trustConditions,
  trustProvider,
  trustSubject,
  trustWildcard,
  webIdentityRole,
} from "./web-identity-rules.ts";

type Rule = (facts: IdentityFacts) => readonly Found[];

/** Every check of identities by its name. A rule finds nothing where it does not apply. */
export const IDENTITY_CHECKS: Readonly<Record<string, Rule>> = {
  "credential-source": credentialSource,
  caller,
  region,
  "sts-endpoint": stsEndpoint,
  "job-token": jobToken,
  "token-file": tokenFile,
  "token-expiry": tokenExpiry,
  "token-audience": tokenAudience,
  "oidc-provider": oidcProvider,
  "oidc-audience": oidcAudience,
  "web-identity-role": webIdentityRole,
  "trust-provider": trustProvider,
  "trust-cluster": trustCluster,
  "trust-subject": trustSubject,
  "trust-wildcard": trustWildcard,
  "trust-audience": trustAudience,
  "trust-conditions": trustConditions,
  "trust-excess": trustExcess,
  "service-account": serviceAccount,
  annotation,
  "pod-age": podAge,
  webhook,
  kubernetes,
  "pod-identity-agent": podIdentityAgent,
  "pod-identity-association": podIdentityAssociation,
  "pod-identity-trust": podIdentityTrust,
  sdk,
  "machine-certificate": machineCertificate,
  "trust-anchor": trustAnchor,
  "anywhere-profile": anywhereProfile,
  "anywhere-trust": anywhereTrust,
  "node-role": nodeRole,
  "hop-limit": hopLimit,
  "instance-role": instanceRole,
  "task-role": taskRole,
  "execution-role": executionRole,
  "service-trust": serviceTrust,
};

/** What every check finds. */
export const lookAtIdentity = (facts: IdentityFacts): readonly Finding[] =>
  Object.entries(IDENTITY_CHECKS).flatMap(([check, rule]) =>
    rule(facts).map((found): Finding => ({ area: "identity", check, ...found })),
  );
