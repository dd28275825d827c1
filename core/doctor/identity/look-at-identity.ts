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
import {
  irsaAudience,
  irsaCluster,
  irsaConditions,
  irsaProvider,
  irsaRole,
  irsaSubject,
  irsaWildcard,
} from "./irsa-rules.ts";
import { annotation, kubernetes, podAge, serviceAccount, webhook } from "./kubernetes-rules.ts";
import {
  podIdentityAgent,
  podIdentityAssociation,
  podIdentityTrust,
  sdk,
} from "./pod-identity-rules.ts";
import {
  oidcAudience,
  oidcProvider,
  tokenAudience,
  tokenExpiry,
  tokenFile,
} from "./token-rules.ts";

import { trustExcess } from "./trust-excess.ts";

type Rule = (facts: IdentityFacts) => readonly Found[];

/** Every check of identities by its name. A rule finds nothing where it does not apply. */
export const IDENTITY_CHECKS: Readonly<Record<string, Rule>> = {
  "credential-source": credentialSource,
  caller,
  region,
  "sts-endpoint": stsEndpoint,
  "token-file": tokenFile,
  "token-expiry": tokenExpiry,
  "token-audience": tokenAudience,
  "oidc-provider": oidcProvider,
  "oidc-audience": oidcAudience,
  "irsa-role": irsaRole,
  "irsa-provider": irsaProvider,
  "irsa-cluster": irsaCluster,
  "irsa-subject": irsaSubject,
  "irsa-wildcard": irsaWildcard,
  "irsa-audience": irsaAudience,
  "irsa-conditions": irsaConditions,
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
