import type { Construct } from "constructs";
import type { GitLabIdentity } from "../../config/config.ts";
import { parseGitLab } from "../../config/parts.ts";
import { type ConsumerRoleProps, splitProps } from "./identity-role.ts";
import { WebIdentityRole } from "./web-identity-role.ts";

/** Properties of a GitLabRole. */
export type GitLabRoleProps = GitLabIdentity & ConsumerRoleProps;

/**
 * A role for jobs of GitLab CI, of one project and one branch or tag.
 */
export class GitLabRole extends WebIdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: GitLabRoleProps) {
    const [identity, rest] = splitProps(props);
    super(scope, id, parseGitLab(id, identity), {
      description: `Mayfly: jobs of GitLab, ${id}`,
      ...rest,
    });
  }
}
