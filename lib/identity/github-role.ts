import type { Construct } from "constructs";
import type { GitHubIdentity } from "../../config/config.ts";
import { parseGitHub } from "../../config/parts.ts";
import { type ConsumerRoleProps, splitProps } from "./identity-role.ts";
import { WebIdentityRole } from "./web-identity-role.ts";

/** Properties of a GitHubRole. */
export type GitHubRoleProps = GitHubIdentity & ConsumerRoleProps;

/**
 * A role for jobs of GitHub Actions, of one repository and one branch, tag, environment, or of its
 * pull requests.
 */
export class GitHubRole extends WebIdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: GitHubRoleProps) {
    const [identity, rest] = splitProps(props);
    super(scope, id, parseGitHub(id, identity), {
      description: `Mayfly: jobs of GitHub, ${id}`,
      ...rest,
    });
  }
}
