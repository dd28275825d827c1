import * as v from "valibot";
import { GITLAB_ISSUER, gitLabSubject } from "../../core/aws/trust/pipelines.ts";
import { object, ruled } from "../schema/fields.ts";
import { checkOneOf, exact } from "./exact.ts";
import { ref } from "./github.ts";
import { audience, issuer, newProviderEntry, type ParsedWebIdentity } from "./issuer.ts";

/** Jobs of GitLab CI. */
export const gitlabSchema = ruled(
  object(
    {
      /** The project's whole path, `group/subgroup/project`. */
      project: exact({
        pattern: /^[\w.-]+(?:\/[\w.-]+)+$/,
        fault: "is not a project",
        remedy: 'name one project with its groups, e.g. "acme/shop/orders"',
        anybody: "everybody who may create a project in the group",
      }),
      /** Jobs that run for this branch. */
      branch: v.optional(ref("branch")),
      /** Jobs that run for this tag. */
      tag: v.optional(ref("tag")),
      /**
       * The `aud` of its tokens, as the job's `id_tokens` has it.
       * @default - the issuer
       */
      audience: v.optional(audience),
      /**
       * The address of a GitLab of your own.
       * @default "https://gitlab.com"
       */
      issuer: v.optional(issuer, GITLAB_ISSUER),
      ...newProviderEntry,
    },
    'write { project: "acme/shop/orders", branch: "main" }',
  ),
  (fields: object, report) =>
    checkOneOf({ ...fields }, ["branch", "tag"], 'branch: "main"', report),
);

export const toGitLab = (fields: v.InferOutput<typeof gitlabSchema>): ParsedWebIdentity => ({
  issuer: fields.issuer,
  audience: fields.audience ?? fields.issuer,
  subjects: [gitLabSubject(fields.project, fields)],
  newProvider: fields.newProvider,
});

/** What is written of jobs of GitLab CI. */
export type GitLabIdentity = v.InferInput<typeof gitlabSchema>;
