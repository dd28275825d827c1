import { broken, type Found, fine, unclear } from "../found.ts";
import type { IdentityFacts } from "./identity-facts.ts";
import { isSameRole } from "./role-arn.ts";
import { isLike } from "./trust-conditions.ts";
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
    return [
      fine(subject, `has a token of ${token.issuer ?? "no iss"}, for ${token.subject ?? "no sub"}`),
    ];
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
    "add permissions: { id-token: write, contents: read } to the job or to its workflow, with whatever else it needs, since it loses what is not named; and for a reusable workflow to the job that calls it. GitHub gives no such permission to pull requests from forks",
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
  if (kind === "github") return ofGitHub(nearest(wanted, subject), subject);
  return kind === "gitlab" ? ofGitLab(nearest(wanted, subject), subject) : NOTHING;
}

/** What a subject begins with: its repository or project. */
const OWNER = /^(?:repo|project_path):([^:]+)/;
const ownerIn = (subject: string): string => OWNER.exec(subject)?.[1] ?? "";

const isSameOwner = (wanted: string, subject: string): boolean =>
  isLike(ownerIn(wanted), withoutIds(ownerIn(subject))) ||
  isLike(ownerIn(wanted), ownerIn(subject));

/** Of several subjects that a policy wants one of the job's own repository or project. */
function nearest(wanted: string, subject: string): string {
  const all = wanted.split(/ or (?=repo:|project_path:)/);
  return all.find((each) => isSameOwner(each, subject)) ?? wanted;
}

/** The policy names other repositories or projects. What it wants may be no subject of a pipeline. */
const isOfAnother = (wanted: string, subject: string): boolean =>
  ownerIn(wanted) !== "" && !isSameOwner(wanted, subject);

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
  const other = ownerIn(wanted);
  if (isLike(other, withoutIds(repository)) && !isLike(other, repository))
    return {
      because: ": GitHub writes the ids of owner and repository into tokens of this repository",
      instead: `write repository: "${repository}" in the consumer's github, or `,
    };
  if (isOfAnother(wanted, subject))
    return {
      because: ": the job is of another repository",
      instead: "set role-to-assume to the role of this repository; or, if this one is its, ",
    };
  if (groups.environment !== undefined)
    return {
      because:
        ": the job names an environment, and GitHub writes that in place of its branch or tag",
      instead:
        "remove environment: from the job, unless it needs the environment's approvals or secrets; or, if all of its jobs may have the role, ",
    };
  if (groups.pull !== undefined)
    return {
      because: ": the job runs for a pull request, and GitHub does not say for which branch",
      instead:
        "run the job on: push of the branch; or, if everybody who may open a pull request from a branch of the repository may have the role, ",
    };
  if (wanted.endsWith(":pull_request"))
    return { because: ": the job does not run for a pull request", instead: "" };
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
  if (isOfAnother(wanted, subject))
    return {
      because: ": the job is of another project",
      instead: "set AWS_ROLE_ARN to the role of this project; or, if this one is its, ",
    };
  return {
    because: `: the job runs for ${parts.groups?.type === "tag" ? "a tag" : "another branch, as one of a merge request does"}`,
    instead: "",
  };
}
