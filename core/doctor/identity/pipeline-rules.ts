import { broken, type Found, fine, unclear } from "../found.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import { isSameRole } from "./role-arn.ts";
import { expectedRole, type TokenKind } from "./workload.ts";

/** Nobody needs a token who has the role, or whose role nobody named. */
function isServed(facts: IdentityFacts): boolean {
  const { caller } = facts;
  const expected = expectedRole(facts);
  if (caller?.kind !== "caller" || facts.applicationError !== undefined) return false;
  return expected === undefined || isSameRole(caller.arn, expected.arn);
}

/** A job of a pipeline has a token, or may ask for one. */
export function jobToken(facts: IdentityFacts): readonly Found[] {
  const { job, token } = facts;
  if (job === undefined) return [];
  const isOfGitHub = job.pipeline === "github";
  const subject = `the job of ${isOfGitHub ? "GitHub Actions" : "GitLab CI"}`;
  if (token?.kind === "claims")
    return [fine(subject, `has a token of ${token.issuer}, for ${token.subject ?? "no sub"}`)];
  if (isServed(facts)) return [];
  if (!job.hasToken) return [isOfGitHub ? notAllowed(subject) : notDeclared(subject, job.server)];
  if (token === undefined) return [];
  return [
    unclear(
      subject,
      `it may ask for a token, and GitHub did not give the doctor one (${token.code})`,
      "run the doctor again; if it stays so, look at githubstatus.com, and let the runner reach the host of ACTIONS_ID_TOKEN_REQUEST_URL",
    ),
  ];
}

const notAllowed = (subject: string): Found =>
  broken(
    subject,
    "GITHUB_ACTIONS is true, and ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set: the job may not ask for a token",
    "add permissions: { id-token: write, contents: read } to the job or to its workflow, and for a reusable workflow to the job that calls it. GitHub gives no such permission to pull requests from forks",
  );

const notDeclared = (subject: string, server = "https://gitlab.com"): Found =>
  broken(
    subject,
    `GITLAB_CI is true, and no variable has a token of ${server}: the job declares no id_tokens`,
    `add id_tokens: { AWS_ID_TOKEN: { aud: ${server} } } to the job, write the token into a file, and set AWS_WEB_IDENTITY_TOKEN_FILE to its path and AWS_ROLE_ARN to the role`,
  );

/** What a subject of GitHub is made of, unless somebody customised it. */
const OF_GITHUB =
  /^repo:([^:]+):(?:ref:refs\/(?<ref>heads|tags)\/.+|(?<environment>environment):.+|(?<pull>pull_request))$/;
const OF_GITLAB = /^project_path:([^:]+):ref_type:(?<type>[^:]+):ref:.+$/;

/** What stands beside a wrong subject. Both are empty where nothing more is known. */
interface Explanation {
  /** Goes on with the evidence. */
  readonly because: string;
  /** Goes before the change of the trust policy. */
  readonly instead: string;
}

const NOTHING: Explanation = { because: "", instead: "" };

/** Why a job has another subject than the policy wants, and what else than the policy may change. */
export function pipelineSubject(
  kind: TokenKind | undefined,
  { wanted, subject }: { readonly wanted: string; readonly subject: string },
): Explanation {
  if (kind === "github") return ofGitHub(wanted, subject);
  return kind === "gitlab" ? ofGitLab(wanted, subject) : NOTHING;
}

function ofGitHub(wanted: string, subject: string): Explanation {
  const [, repository = ""] = OF_GITHUB.exec(subject) ?? [];
  const groups = OF_GITHUB.exec(subject)?.groups;
  if (groups === undefined)
    return {
      because:
        ": it is not GitHub's own form; the repository or its organization customised the sub",
      instead:
        "if that was not meant, gh api -X PUT repos/<owner>/<name>/actions/oidc/customization/sub -F use_default=true; else ",
    };
  const [, other = ""] = OF_GITHUB.exec(wanted) ?? [];
  if (withoutIds(repository) === other && repository !== other)
    return {
      because: ": GitHub writes the ids of owner and repository into tokens of this repository",
      instead: `write repository: "${repository}" in the consumer's github, or `,
    };
  if (other !== "" && other !== repository)
    return { because: ": the job is of another repository", instead: "" };
  if (groups.environment !== undefined)
    return {
      because:
        ": the job names an environment, and GitHub writes that in place of its branch or tag",
      instead: "remove environment: from the job; or, if all of its jobs may have the role, ",
    };
  if (groups.pull !== undefined)
    return {
      because: ": the job runs for a pull request, and GitHub does not say for which branch",
      instead:
        "run the job on: push of the branch; or, if everybody who may open a pull request from a branch of the repository may have the role, ",
    };
  return {
    because: `: the job ${/:environment:/.test(wanted) ? "names no environment" : `runs for another ${groups.ref === "tags" ? "tag" : "branch"}`}`,
    instead: /:environment:/.test(wanted)
      ? `set environment: ${wanted.replace(/^.*:environment:/, "")} in the job; or `
      : "",
  };
}

const withoutIds = (repository: string): string => repository.replaceAll(/@\d+/g, "");

function ofGitLab(wanted: string, subject: string): Explanation {
  const parts = OF_GITLAB.exec(subject);
  if (parts === null)
    return {
      because: ": it is not GitLab's own form; the project customised the sub",
      instead:
        'if that was not meant, set ci_id_token_sub_claim_components of the project to ["project_path", "ref_type", "ref"]; else ',
    };
  const [, other = ""] = OF_GITLAB.exec(wanted) ?? [];
  if (other !== "" && other !== parts[1])
    return { because: ": the job is of another project", instead: "" };
  return {
    because: `: the job runs for ${parts.groups?.type === "tag" ? "a tag" : "another branch, as one of a merge request does"}`,
    instead: "",
  };
}
