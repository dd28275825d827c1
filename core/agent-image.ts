/** Where things are in the agent's image: packaging/agent/Dockerfile makes it so. */
export const AGENT_IMAGE = {
  node: "/nodejs/bin/node",
  program: "/opt/mayfly/mayfly-agent.mjs",
  /** Every user may write here: tokens, sockets and files are in it, and volumes are mounted on it. */
  folder: "/run/mayfly",
  /** Numbers of user and group. */
  user: "65532:65532",
} as const;

/** Ends with 0 if every login of the agent in this container works: for health checks and probes. */
export const READY_COMMAND: readonly string[] = [AGENT_IMAGE.node, AGENT_IMAGE.program, "--ready"];
