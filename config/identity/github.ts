import * as v from "valibot";
import { GITHUB_ISSUER, gitHubSubject } from "../../core/aws/trust/pipelines.ts";
import { STS_AUDIENCE } from "../../core/aws/workload-identity.ts";
import { object, ruled, says } from "../schema/fields.ts";
import { checkOneOf, exact } from "./exact.ts";
import { audience, issuer, newProviderEntry, type ParsedWebIdentity } from "./issuer.ts";

const JOBS = ["branch", "tag", "environment", "pullRequest"] as const;

/** A Git reference: no space, nothing that cannot be seen, no character that Git refuses. */
export const ref = (what: string) =>
  exact({
    pattern: /^(?!\/|refs\/)[^\s~^:\\[\p{Cc}\p{Cf}]{1,255}(?<!\/)$/u,
    fault: `is not a ${what}`,
    remedy: `name one ${what}, without refs/ in front`,
    anybody: `everybody who may push a ${what} whose name fits`,
  });

/** Jobs of GitHub Actions. */
export const githubSchema = ruled(
  object(
    {
      /**
       * `owner/name`. For a repository that was made or renamed after 2026-07-15 GitHub writes ids
       * into its tokens: `owner@id/name@id`.
       */
      repository: exact({
        pattern: /^[A-Za-z0-9][A-Za-z0-9_-]*(?:\/[\w.-]+|@\d+\/[\w.-]+@\d+)$/,
        fault: "is not a repository",
        remedy: 'name one repository, e.g. "acme/orders", or "acme@123456/orders@456789" with ids',
        anybody: "everybody who may create a repository in the organization",
      }),
      /** Jobs that run for this branch, and name no environment. */
      branch: v.optional(ref("branch")),
      /** Jobs that run for this tag, and name no environment. */
      tag: v.optional(ref("tag")),
      /** Jobs that name this environment. */
      environment: v.optional(
        exact({
          pattern: /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,255}$/u,
          fault: "is not an environment",
          remedy: "name one environment of the repository",
          anybody: "jobs of every environment whose name fits",
        }),
      ),
      /** Jobs of pull requests, whoever opened them. */
      pullRequest: v.optional(v.literal(true, says("is not true", "write true, or remove it"))),
      /**
       * The `aud` of its tokens.
       * @default "sts.amazonaws.com", as GitHub's action for AWS asks for
       */
      audience: v.optional(audience, STS_AUDIENCE),
      /**
       * The issuer of a GitHub Enterprise.
       * @default - the issuer of github.com
       */
      issuer: v.optional(issuer, GITHUB_ISSUER),
      ...newProviderEntry,
    },
    'write { repository: "acme/orders", branch: "main" }',
  ),
  (fields: object, report) => checkOneOf({ ...fields }, JOBS, 'branch: "main"', report),
);

export const toGitHub = (fields: v.InferOutput<typeof githubSchema>): ParsedWebIdentity => ({
  issuer: fields.issuer,
  audience: fields.audience,
  subjects: [gitHubSubject(fields.repository, fields)],
  newProvider: fields.newProvider,
});

/** What is written of jobs of GitHub Actions. */
export type GitHubIdentity = v.InferInput<typeof githubSchema>;
