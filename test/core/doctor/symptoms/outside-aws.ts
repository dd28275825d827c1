import { GITHUB_ISSUER, GITLAB_ISSUER } from "../../../../core/aws/trust/pipelines.ts";
import { oidcProviderArn, webIdentityTrust } from "../../../../core/aws/trust/web-identity.ts";
import type { IdentityFacts } from "../../../../core/doctor/identity/identity-facts.ts";
import {
  ANCHOR,
  ANYWHERE,
  ANYWHERE_FILES,
  GITHUB,
  GITHUB_FILES,
  GITLAB,
  GOOGLE_FILES,
  HOUR,
  INSTANCE,
  later,
  NODE_SESSION,
  NOW,
  OIDC,
  ownTrust,
  PLACE,
  PROFILE,
  ROLE,
  variables,
} from "../healthy.ts";

import { DENIED, failed, NO_CREDENTIALS, type Row, STS, trusting } from "./row.ts";

/** A token of GitHub with another subject. */
const gitHubToken = (subject: string): IdentityFacts => ({
  ...GITHUB,
  caller: NO_CREDENTIALS,
  variables: variables({ platform: "github", isMetadataOff: true }),
  token: { ...GITHUB.token, subject },
});
const gitLabToken = (subject: string): IdentityFacts => ({
  ...GITLAB,
  caller: DENIED,
  token: { ...GITLAB.token, subject },
});
const REPOSITORY = "repo:acme/orders";
const GITHUB_PROVIDER =
  "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";

/** The statement of Mayfly's own policy for machines, with another one of its conditions. */
const machineTrust = (key: string, values: readonly string[]) =>
  trusting(
    ...ANYWHERE.trust.statements.map((each) => ({
      ...each,
      conditions: each.conditions.map((one) => (one.key === key ? { ...one, values } : one)),
    })),
  );
/** A policy for jobs of GitHub that has patterns of a subject. */
const subjectsLike = (...subjects: readonly string[]) => ({
  roleArn: ROLE,
  statements: GITHUB.trust.statements.map((each) => ({
    ...each,
    conditions: each.conditions.map((one) =>
      one.key.endsWith(":sub") ? { ...one, operator: "StringLike", values: subjects } : one,
    ),
  })),
});
const offline = (facts: IdentityFacts): IdentityFacts => ({ ...facts, caller: NO_CREDENTIALS });

/** Jobs of pipelines, other callers with tokens, and machines with certificates. */
export const OUTSIDE_AWS: readonly Row[] = [
  {
    row: "GitHub: the job runs for another branch",
    facts: gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
    check: "trust-subject",
    shows:
      /wants the sub repo:acme\/orders:ref:refs\/heads\/main; the token has repo:acme\/orders:ref:refs\/heads\/next: the job runs for another branch/,
    mends:
      /^in the trust policy of user-service, set the condition's sub to repo:acme\/orders:ref:refs\/heads\/next/m,
  },
  {
    row: "GitHub: the job runs for a tag",
    facts: gitHubToken(`${REPOSITORY}:ref:refs/tags/v1`),
    check: "trust-subject",
    shows: /runs for another tag/,
    mends: /set the condition's sub to repo:acme\/orders:ref:refs\/tags\/v1/,
  },
  {
    row: "GitHub: the job names an environment",
    facts: gitHubToken(`${REPOSITORY}:environment:production`),
    check: "trust-subject",
    shows: /the job names an environment, and GitHub writes that in place of its branch or tag/,
    mends:
      /remove environment: from the job, unless it needs .*; or, .*set the condition's sub to repo:acme\/orders:environment:production/,
  },
  {
    row: "GitHub: the job names no environment, and the policy wants one",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/main`),
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: STS,
          subjects: [`${REPOSITORY}:environment:production`],
        }),
      ),
    },
    check: "trust-subject",
    shows: /the job names no environment/,
    mends: /^set environment: production in the job; or in the trust policy/m,
  },
  {
    row: "GitHub: the job runs for a pull request",
    facts: gitHubToken(`${REPOSITORY}:pull_request`),
    check: "trust-subject",
    shows: /runs for a pull request, and GitHub does not say for which branch/,
    mends: /run the job on: push of the branch; or, if everybody who may open a pull request/,
  },
  {
    row: "GitHub: the repository customised the sub",
    facts: gitHubToken(
      "repository_owner_id:123:job_workflow_ref:acme/ci/.github/workflows/x.yml@main",
    ),
    check: "trust-subject",
    shows: /not GitHub's own form; the repository or its organization customised the sub/,
    mends: /actions\/oidc\/customization\/sub -F use_default=true; else in the trust policy/,
  },
  {
    row: "GitHub: ids in the sub of a repository that was renamed",
    facts: gitHubToken("repo:acme@123456/orders@456789:ref:refs/heads/main"),
    check: "trust-subject",
    shows: /GitHub writes the ids of owner and repository/,
    mends:
      /write repository: "acme@123456\/orders@456789" in the consumer's github, or in the trust/,
  },
  {
    row: "GitHub: another repository than a pattern names, in an environment",
    facts: {
      ...gitHubToken(`${REPOSITORY}:environment:production`),
      trust: subjectsLike("repo:acme/users:*"),
    },
    check: "trust-subject",
    shows: /the job is of another repository$/m,
    mends:
      /^set role-to-assume to the role of this repository; or, if this one is its, in the trust/,
  },
  {
    row: "GitHub: another branch of one of the repositories that a pattern names",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike("repo:acme/*:ref:refs/heads/main"),
    },
    check: "trust-subject",
    shows: /the job runs for another branch$/m,
    mends: /^in the trust policy/,
  },
  {
    row: "GitHub: another branch, and the policy names another repository first",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike("repo:acme/users:ref:refs/heads/main", `${REPOSITORY}:environment:a`),
    },
    check: "trust-subject",
    shows: /the job names no environment$/m,
    mends: /^set environment: a in the job; or/,
  },
  {
    row: "GitHub: a branch, and the policy wants pull requests",
    facts: {
      ...gitHubToken(`${REPOSITORY}:ref:refs/heads/next`),
      trust: subjectsLike(`${REPOSITORY}:pull_request`),
    },
    check: "trust-subject",
    shows: /the job does not run for a pull request$/m,
    mends: /^in the trust policy/,
  },
  {
    row: "GitHub: another repository, by the claims that its job printed",
    facts: {
      ...GITHUB_FILES,
      token: { ...GITHUB_FILES.token, subject: "repo:acme/users:pull_request" },
    },
    check: "trust-subject",
    shows: /the job is of another repository/,
    mends: /set the condition's sub to repo:acme\/users:pull_request/,
  },
  {
    row: "GitHub: a pattern under StringEquals",
    facts: {
      ...GITHUB_FILES,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: STS,
          subjects: [`${REPOSITORY}:*`],
        }),
      ),
    },
    check: "trust-wildcard",
    shows: /StringEquals with the pattern repo:acme\/orders:\*/,
    mends: /write the exact value: .*repo:acme\/orders:ref:refs\/heads\/main/,
  },
  {
    row: "GitHub: another audience in the trust policy, by the claims that a job printed",
    facts: {
      ...GITHUB_FILES,
      token: { ...GITHUB_FILES.token, audiences: ["https://github.com/acme"] },
      provider: { ...GITHUB_FILES.provider, clientIds: [STS, "https://github.com/acme"] },
    },
    check: "trust-audience",
    shows: /wants the aud sts\.amazonaws\.com; the token has https:\/\/github\.com\/acme/,
    mends:
      /set audience: sts\.amazonaws\.com in the step aws-actions\/configure-aws-credentials; or in the trust/,
  },
  {
    row: "GitHub: another audience in the trust policy, from inside the job",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: { ...GITHUB.provider, clientIds: ["https://github.com/acme"] },
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: GITHUB_ISSUER,
          audience: "https://github.com/acme",
          subjects: [GITHUB.token.subject],
        }),
      ),
    },
    check: "trust-audience",
    shows: /wants the aud https:\/\/github\.com\/acme; the doctor asked for a token with sts/,
    mends: /look whether the step has audience: https:\/\/github\.com\/acme; if not, add it/,
  },
  {
    row: "GitHub: the job may not ask for a token",
    facts: {
      now: NOW,
      variables: variables({ platform: "github", isMetadataOff: true }),
      job: { pipeline: "github", hasToken: false, server: "https://github.com" },
      caller: NO_CREDENTIALS,
      trust: GITHUB.trust,
    },
    check: "job-token",
    shows: /ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set/,
    mends: /permissions: \{ id-token: write, contents: read \}.*pull requests from forks/,
  },
  {
    row: "GitHub did not give a token",
    facts: {
      ...gitHubToken(""),
      token: { kind: "unreadable", code: "status 503" },
    },
    check: "job-token",
    shows: /did not give the doctor one \(status 503\)/,
    mends: /run the doctor again/,
  },
  {
    row: "GitHub: the job took no role",
    facts: { ...gitHubToken(GITHUB.token.subject) },
    check: "credential-source",
    shows: /no source has credentials/,
    mends:
      /aws-actions\/configure-aws-credentials with role-to-assume: arn:aws:iam::111122223333:role\/user-service/,
  },
  {
    row: "GitHub: no OIDC provider in the account",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: undefined,
      providers: [oidcProviderArn(PLACE, "https://gitlab.com")],
    },
    check: "oidc-provider",
    shows: /has no OIDC provider for it; it has gitlab\.com/,
    mends:
      /--url https:\/\/token\.actions\.githubusercontent\.com --client-id-list sts\.amazonaws\.com/,
  },
  {
    row: "GitHub: no OIDC provider, as STS says",
    facts: {
      now: NOW,
      variables: variables({ platform: "github", isMetadataOff: true }),
      job: GITHUB.job,
      token: GITHUB.token,
      applicationError: {
        name: "InvalidIdentityToken",
        message: `No OpenIDConnect provider found in your account for ${GITHUB_ISSUER}`,
      },
    },
    check: "oidc-provider",
    shows: /No OpenIDConnect provider found/,
    mends: /create-open-id-connect-provider --url https:\/\/token\.actions/,
  },
  {
    row: "GitHub: the provider is for an enterprise's issuer, and the token is not",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: `${GITHUB_ISSUER}/acme`,
          audience: STS,
          subjects: [GITHUB.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows:
      /is for token\.actions\.githubusercontent\.com\/acme; the token is of token\.actions\.githubusercontent\.com$/m,
    mends: new RegExp(`"Federated": "${GITHUB_PROVIDER}"`),
  },
  {
    row: "GitHub: the provider lacks the audience",
    facts: {
      ...gitHubToken(GITHUB.token.subject),
      provider: { ...GITHUB.provider, clientIds: ["sts.amazon.com"] },
    },
    check: "oidc-audience",
    shows: /its provider lets in sts\.amazon\.com/,
    mends: new RegExp(`--open-id-connect-provider-arn ${GITHUB_PROVIDER} --client-id ${STS}`),
  },
  {
    row: "GitHub: another role than the expected one",
    facts: { ...GITHUB, caller: { kind: "caller", arn: NODE_SESSION } },
    check: "caller",
    shows: /--role says/,
    mends: /set role-to-assume of the step aws-actions\/configure-aws-credentials to arn/,
  },
  {
    row: "GitLab: the job runs for another branch",
    facts: gitLabToken("project_path:acme/shop/orders:ref_type:branch:ref:next"),
    check: "trust-subject",
    shows: /the job runs for another branch, as one of a merge request does/,
    mends: /set the condition's sub to project_path:acme\/shop\/orders:ref_type:branch:ref:next/,
  },
  {
    row: "GitLab: the job runs for a tag",
    facts: gitLabToken("project_path:acme/shop/orders:ref_type:tag:ref:v1"),
    check: "trust-subject",
    shows: /the job runs for a tag/,
    mends: /ref_type:tag:ref:v1/,
  },
  {
    row: "GitLab: another project",
    facts: gitLabToken("project_path:acme/shop/users:ref_type:branch:ref:main"),
    check: "trust-subject",
    shows: /the job is of another project/,
    mends: /project_path:acme\/shop\/users/,
  },
  {
    row: "GitLab: the project customised the sub",
    facts: gitLabToken("project_path:acme/shop/orders"),
    check: "trust-subject",
    shows: /not GitLab's own form; the project customised the sub/,
    mends:
      /set ci_id_token_sub_claim_components of the project to \["project_path", "ref_type", "ref"\]/,
  },
  {
    row: "GitLab: another audience",
    facts: {
      ...GITLAB,
      caller: DENIED,
      token: { ...GITLAB.token, audiences: [STS] },
      provider: { ...GITLAB.provider, clientIds: [STS, GITLAB_ISSUER] },
    },
    check: "trust-audience",
    shows: /wants the aud https:\/\/gitlab\.com; the token has sts\.amazonaws\.com/,
    mends:
      /^set aud: https:\/\/gitlab\.com of the token in the job's id_tokens; or in the trust policy .*"gitlab\.com:aud":"sts\.amazonaws\.com"/m,
  },
  {
    row: "GitLab: the provider lacks the audience",
    facts: { ...GITLAB, caller: DENIED, provider: { ...GITLAB.provider, clientIds: [STS] } },
    check: "oidc-audience",
    shows: /its provider lets in sts\.amazonaws\.com/,
    mends: /oidc-provider\/gitlab\.com --client-id https:\/\/gitlab\.com$/m,
  },
  {
    row: "GitLab: no OIDC provider in the account",
    facts: { ...GITLAB, caller: DENIED, provider: undefined, providers: [] },
    check: "oidc-provider",
    shows: /it has none/,
    mends: /--url https:\/\/gitlab\.com --client-id-list https:\/\/gitlab\.com/,
  },
  {
    row: "GitLab: the provider is of another GitLab",
    facts: {
      ...GITLAB,
      caller: DENIED,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: "https://gitlab.example.com",
          audience: GITLAB_ISSUER,
          subjects: [GITLAB.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows: /is for gitlab\.example\.com; the token is of gitlab\.com/,
    mends: /oidc-provider\/gitlab\.com"/,
  },
  {
    row: "GitLab: the job declares no id_tokens",
    facts: {
      now: NOW,
      variables: variables({ platform: "gitlab", isMetadataOff: true }),
      job: { pipeline: "gitlab", hasToken: false, server: GITLAB_ISSUER },
      caller: NO_CREDENTIALS,
    },
    check: "job-token",
    shows: /no variable has a token of https:\/\/gitlab\.com: the job declares no id_tokens/,
    mends: /id_tokens: \{ AWS_ID_TOKEN: \{ aud: https:\/\/gitlab\.com \} \}/,
  },
  {
    row: "GitLab: the file of the token is not there",
    facts: { ...GITLAB, caller: NO_CREDENTIALS, token: { kind: "unreadable", code: "ENOENT" } },
    check: "token-file",
    shows: /cannot be read \(ENOENT\)/,
    mends: /write the token into it before the program starts/,
  },
  {
    row: "GitLab: the job outlived its token",
    facts: {
      ...GITLAB,
      caller: failed("ExpiredTokenException", "Token expired"),
      token: { ...GITLAB.token, expiresAt: later(-HOUR) },
    },
    check: "token-expiry",
    shows: /ended at 2026-11-30T11:00:00/,
    mends: /right before the role is assumed/,
  },
  {
    row: "a plain issuer: another sub",
    facts: { ...OIDC, caller: DENIED, token: { ...OIDC.token, subject: "22222222" } },
    check: "trust-subject",
    shows: /wants the sub 11111111-1111-1111-1111-111111111111; the token has 22222222$/m,
    mends: /set the condition's sub to 22222222: .*"sts\.windows\.net\/0a1b2c3d\/:sub":"22222222"/,
  },
  {
    row: "a plain issuer: another audience",
    facts: {
      ...OIDC,
      caller: DENIED,
      token: { ...OIDC.token, audiences: ["api://other"] },
      provider: { ...OIDC.provider, clientIds: ["api://other"] },
    },
    check: "trust-audience",
    shows: /wants the aud api:\/\/mayfly; the token has api:\/\/other/,
    mends: /ask the issuer for a token with the aud api:\/\/mayfly; or/,
  },
  {
    row: "a plain issuer: no audience at all",
    facts: {
      ...OIDC,
      caller: DENIED,
      token: { ...OIDC.token, audiences: [] },
      trust: undefined,
      provider: undefined,
    },
    check: "token-audience",
    shows: /has no aud/,
    mends: /ask its issuer for a token with an audience/,
  },
  {
    row: "a plain issuer: the slash at the end of the issuer is missing",
    facts: {
      ...OIDC,
      caller: DENIED,
      trust: ownTrust(
        webIdentityTrust(PLACE, {
          issuer: "https://sts.windows.net/0a1b2c3d",
          audience: "api://mayfly",
          subjects: [OIDC.token.subject],
        }),
      ),
    },
    check: "trust-provider",
    shows: /is for sts\.windows\.net\/0a1b2c3d; the token is of sts\.windows\.net\/0a1b2c3d\/$/m,
    mends: /oidc-provider\/sts\.windows\.net\/0a1b2c3d\/"/,
  },
  {
    row: "a plain issuer: AWS_ROLE_ARN has a typo",
    facts: {
      ...OIDC,
      caller: DENIED,
      variables: variables({ platform: "other", roleArn: `${ROLE}s`, tokenFile: "/run/token" }),
    },
    check: "web-identity-role",
    shows: /AWS_ROLE_ARN asks for .*user-services; the role with the trust policy is/,
    mends: new RegExp(`^set AWS_ROLE_ARN to ${ROLE}$`, "m"),
  },
  {
    row: "Google: another service account, and what IAM calls its claims",
    facts: {
      ...GOOGLE_FILES,
      token: { ...GOOGLE_FILES.token, subject: "105", authorizedParty: "105" },
    },
    check: "trust-subject",
    shows: /the token has 105/,
    mends: /"accounts\.google\.com:aud":"105","accounts\.google\.com:oaud":"mayfly"/,
  },
  {
    row: "Roles Anywhere: the trust policy lacks TagSession and SetSourceIdentity",
    facts: offline({
      ...ANYWHERE,
      trust: trusting(
        ...ANYWHERE.trust.statements.map((each) => ({ ...each, actions: ["sts:AssumeRole"] })),
      ),
    }),
    check: "anywhere-trust",
    shows: /allows rolesanywhere\.amazonaws\.com no sts:TagSession and no sts:SetSourceIdentity/,
    mends: /set "Action": \["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"\]/,
  },
  {
    row: "Roles Anywhere: the trust policy does not name the service",
    facts: offline({ ...ANYWHERE, trust: INSTANCE.trust }),
    check: "anywhere-trust",
    shows: /does not name rolesanywhere\.amazonaws\.com/,
    mends: /"aws:PrincipalTag\/x509Subject\/CN":"billing\.corp\.example\.com"/,
  },
  {
    row: "Roles Anywhere: the condition on the trust anchor differs",
    facts: offline({
      ...ANYWHERE,
      trust: machineTrust("aws:SourceArn", [`${ANCHOR.slice(0, -1)}0`]),
    }),
    check: "anywhere-trust",
    shows: new RegExp(`wants aws:SourceArn .* \\(ArnEquals\\); IAM Roles Anywhere says ${ANCHOR}`),
    mends: new RegExp(`set aws:SourceArn to ${ANCHOR}`),
  },
  {
    row: "Roles Anywhere: the common name differs",
    facts: {
      ...ANYWHERE_FILES,
      trust: machineTrust("aws:PrincipalTag/x509Subject/CN", ["db.corp.example.com"]),
    },
    check: "anywhere-trust",
    shows:
      /wants aws:PrincipalTag\/x509Subject\/CN db\.corp\.example\.com \(StringEquals\); IAM Roles Anywhere says billing/,
    mends:
      /set aws:PrincipalTag\/x509Subject\/CN to billing\.corp\.example\.com; if the statement is another workload's/,
  },
  {
    row: "Roles Anywhere: the certificate has no OU",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { CN: ["billing.corp.example.com"], O: ["Acme"] },
      },
    },
    check: "anywhere-trust",
    shows: /x509Subject\/OU Billing \(StringEquals\); IAM Roles Anywhere says none/,
    mends: /leave it and add the statement/,
  },
  {
    row: "Roles Anywhere: the helper asks for another role",
    facts: offline({
      ...ANYWHERE,
      helper: { ...ANYWHERE.helper, roleArn: `${ROLE}s` },
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], roleArns: [`${ROLE}s`] }],
    }),
    check: "anywhere-trust",
    shows: /the credential helper asks for .*user-services/,
    mends: new RegExp(`set --role-arn in credential_process to ${ROLE}`),
  },
  {
    row: "Roles Anywhere without the trust policy: how to show it",
    facts: offline({ ...ANYWHERE, trust: undefined }),
    check: "anywhere-trust",
    shows: /must have the statement .*"sts:SetSourceIdentity"/,
    mends: /aws iam get-role --role-name user-service > role\.json/,
  },
  {
    row: "Roles Anywhere: two OUs",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { ...ANYWHERE_FILES.certificate.subject, OU: ["Billing", "EU"] },
      },
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/OU Billing$/m,
    mends: /compare it with what CloudTrail has/,
  },
  {
    row: "Roles Anywhere: a name that AWS may call otherwise than OpenSSL",
    facts: {
      ...ANYWHERE_FILES,
      certificate: {
        ...ANYWHERE_FILES.certificate,
        subject: { CN: ["billing.corp.example.com"], emailAddress: ["ops@example.com"] },
      },
      trust: trusting(
        ...ANYWHERE_FILES.trust.statements.map((each) => ({
          ...each,
          conditions: [
            ...each.conditions.filter(({ key }) => !/OU?$/.test(key)),
            {
              operator: "StringEquals",
              key: "aws:PrincipalTag/x509Subject/Email",
              values: ["ops@example.com"],
            },
          ],
        })),
      ),
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/Email/,
    mends: /leave it there/,
  },
  {
    row: "Roles Anywhere: a profile with a mapping of its own",
    facts: {
      ...ANYWHERE_FILES,
      anywhereProfiles: [{ ...ANYWHERE_FILES.anywhereProfiles[0], hasOwnMapping: true }],
    },
    check: "anywhere-trust",
    shows: /cannot be decided here: StringEquals aws:PrincipalTag\/x509Subject\/CN/,
    mends: /leave it there/,
  },
  {
    row: "Roles Anywhere: the profile does not list the role",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [
        { ...ANYWHERE.anywhereProfiles[0], roleArns: ["arn:aws:iam::111122223333:role/other"] },
      ],
    }),
    check: "anywhere-profile",
    shows: new RegExp(`it does not list ${ROLE}; it lists arn:aws:iam::111122223333:role/other`),
    mends: new RegExp(
      `update-profile --profile-id 89abcdef-0123-4567-89ab-cdef01234567 --role-arns arn:aws:iam::111122223333:role/other ${ROLE};`,
    ),
  },
  {
    row: "Roles Anywhere: the profile is disabled",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], isEnabled: false }],
    }),
    check: "anywhere-profile",
    shows: /it is disabled/,
    mends: /aws rolesanywhere enable-profile --profile-id 89abcdef/,
  },
  {
    row: "Roles Anywhere: there is no such profile",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [{ ...ANYWHERE.anywhereProfiles[0], arn: `${PROFILE}0` }],
    }),
    check: "anywhere-profile",
    shows: /there is no such profile; there is arn:aws:rolesanywhere/,
    mends: /^set --profile-arn in credential_process/,
  },
  {
    row: "Roles Anywhere: the profiles of another Region were shown",
    facts: offline({
      ...ANYWHERE,
      anywhereProfiles: [
        { ...ANYWHERE.anywhereProfiles[0], arn: PROFILE.replace("eu-west-1", "us-east-1") },
      ],
    }),
    check: "anywhere-profile",
    shows: /which has none of its Region and account: arn:aws:rolesanywhere:us-east-1/,
    mends: /^aws rolesanywhere list-profiles --region eu-west-1 > list-profiles\.json, and add/,
  },
  {
    row: "Roles Anywhere: a list without trust anchors was shown",
    facts: offline({ ...ANYWHERE, trustAnchors: [] }),
    check: "trust-anchor",
    shows: /has none of its Region and account: none/,
    mends: /^aws rolesanywhere list-trust-anchors --region eu-west-1/,
  },
  {
    row: "Roles Anywhere: the trust anchor is disabled",
    facts: offline({ ...ANYWHERE, trustAnchors: [{ arn: ANCHOR, isEnabled: false }] }),
    check: "trust-anchor",
    shows: /it is disabled/,
    mends: /aws rolesanywhere enable-trust-anchor --trust-anchor-id 01234567/,
  },
  {
    row: "Roles Anywhere: there is no such trust anchor",
    facts: offline({ ...ANYWHERE, trustAnchors: [{ arn: `${ANCHOR}0`, isEnabled: true }] }),
    check: "trust-anchor",
    shows: /there is no such trust anchor; there is arn:aws:rolesanywhere/,
    mends: /set --trust-anchor-arn in credential_process/,
  },
  {
    row: "Roles Anywhere: trust anchor and profile are of two Regions",
    facts: offline({
      ...ANYWHERE,
      helper: { ...ANYWHERE.helper, profileArn: PROFILE.replace("eu-west-1", "us-east-1") },
      anywhereProfiles: undefined,
    }),
    check: "trust-anchor",
    shows: /it is in eu-west-1 111122223333, and the profile .* in us-east-1/,
    mends: /of one Region and account/,
  },
  {
    row: "Roles Anywhere: the certificate has ended",
    facts: offline({
      ...ANYWHERE,
      certificate: { ...ANYWHERE.certificate, notAfter: later(-HOUR) },
    }),
    check: "machine-certificate",
    shows: /it ended at 2026-11-30T11:00:00.000Z; it is 2026-11-30T12:00:00.000Z here/,
    mends: /issue the next certificate by the CA of the trust anchor/,
  },
  {
    row: "Roles Anywhere: the certificate is not valid yet",
    facts: offline({
      ...ANYWHERE,
      certificate: { ...ANYWHERE.certificate, notBefore: later(HOUR) },
    }),
    check: "machine-certificate",
    shows: /valid from 2026-11-30T13:00:00/,
    mends: /clock/,
  },
  {
    row: "Roles Anywhere: the certificate ends soon",
    facts: {
      ...ANYWHERE,
      certificate: {
        ...ANYWHERE.certificate,
        notBefore: later(-99 * 24 * HOUR),
        notAfter: later(24 * HOUR),
      },
    },
    check: "machine-certificate",
    shows: /it ends at 2026-12-01/,
    mends: /with the same subject/,
  },
  {
    row: "Roles Anywhere: the certificate may not be read",
    facts: offline({ ...ANYWHERE, certificate: { kind: "unreadable", code: "EACCES" } }),
    check: "machine-certificate",
    shows: /cannot be read \(EACCES\)/,
    mends: /let the user of the credential helper read it/,
  },
  {
    row: "Roles Anywhere: a certificate that is no PEM",
    facts: offline({ ...ANYWHERE, certificate: { kind: "unreadable", code: "MALFORMED" } }),
    check: "machine-certificate",
    shows: /no certificate in PEM/,
    mends: /openssl x509 -in/,
  },
  {
    row: "Roles Anywhere: every certificate of every trust anchor",
    facts: {
      ...ANYWHERE,
      trust: trusting(...ANYWHERE.trust.statements.map((each) => ({ ...each, conditions: [] }))),
    },
    check: "trust-excess",
    shows:
      /certificates of every trust anchor of the account .*, and every certificate of a trust anchor/,
    mends: /write the statement .*"aws:SourceArn"/,
  },
];
