/** The issuer of GitHub's tokens, for repositories on github.com. */
export const GITHUB_ISSUER = "https://token.actions.githubusercontent.com";
/** The issuer of GitLab's tokens, for projects on gitlab.com. */
export const GITLAB_ISSUER = "https://gitlab.com";

/** What of a repository's jobs is meant; exactly one is set. */
export interface GitHubJobs {
  /** Jobs that run for this branch, and name no environment. */
  readonly branch?: string | undefined;
  /** Jobs that run for this tag, and name no environment. */
  readonly tag?: string | undefined;
  /** Jobs that name this environment, whatever they run for. */
  readonly environment?: string | undefined;
  /** Jobs of pull requests, whoever opened them. */
  readonly pullRequest?: true | undefined;
}

/**
 * The `sub` of a GitHub job's token.
 *
 * @param repository `owner/name`; or `owner@id/name@id`, as GitHub writes it for repositories that
 *   were made or renamed after 2026-07-15.
 */
export function gitHubSubject(
  repository: string,
  { branch, tag, environment }: GitHubJobs,
): string {
  const of = `repo:${repository}`;
  if (branch !== undefined) return `${of}:ref:refs/heads/${branch}`;
  if (tag !== undefined) return `${of}:ref:refs/tags/${tag}`;
  // GitHub escapes the character that separates a subject's parts
  if (environment !== undefined) return `${of}:environment:${environment.replaceAll(":", "%3A")}`;
  return `${of}:pull_request`;
}

/** What of a project's jobs is meant; exactly one is set. */
export interface GitLabJobs {
  readonly branch?: string | undefined;
  readonly tag?: string | undefined;
}

/**
 * The `sub` of a GitLab job's token.
 *
 * @param project its whole path, `group/subgroup/project`.
 */
export const gitLabSubject = (project: string, { branch, tag }: GitLabJobs): string =>
  `project_path:${project}:ref_type:${tag === undefined ? "branch" : "tag"}:ref:${tag ?? branch}`;
