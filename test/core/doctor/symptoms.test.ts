import { expect, test } from "vitest";
import { GITHUB_ISSUER, gitHubSubject, gitLabSubject } from "../../../core/aws/trust/pipelines.ts";
import { podIdentityTrust } from "../../../core/aws/trust/pods.ts";
import { rolesAnywhereTrust } from "../../../core/aws/trust/roles-anywhere.ts";
import { ec2Trust, ecsTaskTrust, lambdaTrust } from "../../../core/aws/trust/services.ts";
import { webIdentityTrust } from "../../../core/aws/trust/web-identity.ts";
import { type Finding, worstOf } from "../../../core/doctor/finding.ts";
import type { IdentityFacts } from "../../../core/doctor/identity/identity-facts.ts";
import { IDENTITY_CHECKS, lookAtIdentity } from "../../../core/doctor/identity/look-at-identity.ts";
import {
  ANCHOR,
  ANYWHERE,
  ANYWHERE_FILES,
  ECS,
  GITHUB,
  GITHUB_FILES,
  GITLAB,
  GITLAB_FILES,
  GOOGLE_FILES,
  INSTANCE,
  IRSA,
  IRSA_FILES,
  ISSUER,
  LAMBDA,
  OIDC,
  OIDC_FILES,
  ownTrust,
  PERSON,
  PLACE,
  POD_IDENTITY,
  PROVIDER,
  SUBJECT,
  variables,
} from "./healthy.ts";

import { INSIDE_AWS } from "./symptoms/inside-aws.ts";
import { OUTSIDE_AWS } from "./symptoms/outside-aws.ts";
import { claims, trusting } from "./symptoms/row.ts";

const ROWS = [...INSIDE_AWS, ...OUTSIDE_AWS];

const shown = ({ fix }: Finding): string => (fix?.kind === "step" ? fix.text : "");

test.each(ROWS)("$row", ({ facts, check, shows, mends }) => {
  const findings = lookAtIdentity(facts);
  const named = findings.filter((each) => each.check === check && each.verdict !== "ok");
  expect(named.map(({ evidence }) => evidence).join("\n")).toMatch(shows);
  expect(named.map(shown).join("\n")).toMatch(mends);
});

const OTHER_AUDIENCE = ownTrust(
  webIdentityTrust(PLACE, {
    issuer: GITHUB_ISSUER,
    audience: "https://github.com/acme",
    subjects: [GITHUB.token.subject],
  }),
);

/** Findings beside the cause that say the same in other words, and no other cause. */
const SYMPTOMS = new Set(["caller", "node-role", "credential-source"]);

test.each(ROWS)("$row: and no other cause", ({ facts, check }) => {
  const others = lookAtIdentity(facts).filter(
    (each) => each.verdict === "broken" && each.check !== check && !SYMPTOMS.has(each.check),
  );
  expect(others).toEqual([]);
});

const MALFORMED = { kind: "unreadable", code: "MALFORMED" } as const;

/** The same role, which machines with a certificate may take, too. */
const alsoOf = ({ trust }: Pick<typeof ECS | typeof INSTANCE | typeof LAMBDA, "trust">) =>
  trusting(...trust.statements, ...ANYWHERE.trust.statements);

const OWN_ISSUER = "kube.example.com";
const OWN_PROVIDER = PROVIDER.replace(ISSUER, OWN_ISSUER);
const OWN_CLUSTER: IdentityFacts = {
  ...IRSA,
  token: { ...IRSA.token, issuer: `https://${OWN_ISSUER}`, audiences: ["aws"] },
  cluster: undefined,
  providers: [OWN_PROVIDER],
  provider: { url: OWN_ISSUER, clientIds: ["aws"] },
  trust: trusting({
    ...claims(SUBJECT, "aws", OWN_ISSUER),
    principals: [{ type: "Federated", value: OWN_PROVIDER }],
  }),
};

test.each([
  ["IRSA", IRSA],
  ["IRSA, from files", IRSA_FILES],
  ["EKS Pod Identity", POD_IDENTITY],
  ["an ECS task", ECS],
  ["an EC2 instance", INSTANCE],
  ["a function", LAMBDA],
  ["a person", PERSON],
  ["a job of GitHub", GITHUB],
  ["a job of GitHub, from its claims", GITHUB_FILES],
  ["a job of GitLab", GITLAB],
  ["a job of GitLab, from its claims", GITLAB_FILES],
  ["a job of GitHub with another audience that works", { ...GITHUB, trust: OTHER_AUDIENCE }],
  [
    "a job of GitHub with the role of its own instance",
    {
      ...GITHUB,
      variables: variables({ platform: "github" }),
      trust: INSTANCE.trust,
      providers: [],
      provider: undefined,
    },
  ],
  ["a token of a plain issuer", OIDC],
  ["a token of a plain issuer, from its claims", OIDC_FILES],
  ["a token of Google, from its claims", GOOGLE_FILES],
  ["a machine with a certificate", ANYWHERE],
  ["a machine with a certificate, from files", ANYWHERE_FILES],
  ["a machine whose certificate is in another format", { ...ANYWHERE, certificate: MALFORMED }],
  ["a machine, and the trust anchors of another Region", { ...ANYWHERE, trustAnchors: [] }],
  ["a task whose role machines have, too", { ...ECS, caller: undefined, trust: alsoOf(ECS) }],
  ["an instance, the same", { ...INSTANCE, caller: undefined, trust: alsoOf(INSTANCE) }],
  ["a function, the same", { ...LAMBDA, caller: undefined, trust: alsoOf(LAMBDA) }],
  ["a cluster of one's own, with an audience of its own", OWN_CLUSTER],
] as const)("a healthy workload has nothing but ok: %s", (_, facts: IdentityFacts) => {
  const findings = lookAtIdentity(facts);
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(worstOf(findings)).toBe("ok");
});

test("every check names a cause in some row", () => {
  const rows = new Set(ROWS.map(({ check }) => check));
  // conditions of other kinds, and what nobody knows, are no causes
  const unnamed = Object.keys(IDENTITY_CHECKS).filter((check) => !rows.has(check));
  expect(unnamed).toEqual(["trust-conditions", "kubernetes"]);
});

test("every finding that is not ok has its remedy, and every finding evidence", () => {
  const findings = ROWS.flatMap(({ facts }) => lookAtIdentity(facts));
  expect(findings.filter(({ verdict, fix }) => (verdict === "ok") === (fix !== undefined))).toEqual(
    [],
  );
  expect(findings.filter(({ evidence, subject }) => evidence === "" || subject === "")).toEqual([]);
});

const [MACHINE] = ANYWHERE_FILES.certificate.subject.CN;

/** A job with this subject, and the role that Mayfly makes for it. */
const ofToken = (files: typeof GITHUB_FILES, subject: string): IdentityFacts => ({
  ...files,
  token: { ...files.token, subject },
  trust: ownTrust(
    webIdentityTrust(PLACE, {
      issuer: files.token.issuer,
      audience: files.token.audiences[0],
      subjects: [subject],
    }),
  ),
});

test.each<[string, IdentityFacts]>([
  ...(
    [{ branch: "main" }, { tag: "v1" }, { environment: "a:b" }, { pullRequest: true }] as const
  ).map((jobs): [string, IdentityFacts] => {
    const subject = gitHubSubject("acme/orders", jobs);
    return [subject, ofToken(GITHUB_FILES, subject)];
  }),
  ...[{ branch: "main" }, { tag: "v1" }].map((jobs): [string, IdentityFacts] => {
    const subject = gitLabSubject("acme/shop/orders", jobs);
    return [subject, ofToken(GITLAB_FILES, subject)];
  }),
  [
    "a machine by its CN alone",
    {
      ...ANYWHERE_FILES,
      trust: ownTrust(rolesAnywhereTrust({ trustAnchorArn: ANCHOR, commonName: MACHINE })),
    },
  ],
  [
    "pods",
    {
      ...POD_IDENTITY,
      trust: ownTrust(
        podIdentityTrust(PLACE, {
          cluster: "main",
          namespace: "shop",
          serviceAccounts: ["user-service", "reporting"],
        }),
      ),
    },
  ],
  ["tasks", { ...ECS, trust: ownTrust(ecsTaskTrust(PLACE)) }],
  ["instances", { ...INSTANCE, trust: ownTrust(ec2Trust()) }],
  ["functions", { ...LAMBDA, trust: ownTrust(lambdaTrust()) }],
])("what Mayfly's own constructs write is ok: %s", (_, facts) => {
  const findings = lookAtIdentity(facts);
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  const ofTrust = findings.map(({ check }) => check).filter((check) => /trust/.test(check));
  expect(ofTrust).not.toEqual([]);
});
