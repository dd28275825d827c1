import { NetworkMode, type TaskDefinition } from "aws-cdk-lib/aws-ecs";

/** Who else is on 127.0.0.1: the task's own containers, or every program of the machine. */
export type Loopback = "task" | "machine";

/**
 * The loopback of a task.
 *
 * @throws Error if the sidecar and the application would not share one.
 */
export function loopbackOf({ networkMode, node }: TaskDefinition): Loopback {
  if (networkMode === NetworkMode.AWS_VPC) return "task";
  if (networkMode === NetworkMode.HOST) return "machine";
  const reason =
    networkMode === NetworkMode.NONE
      ? "the sidecar reaches neither Lambda nor the database"
      : "each container has a 127.0.0.1 of its own, so the application does not find the sidecar";
  throw new Error(
    `${node.path} has network mode ${networkMode}, where ${reason}; write networkMode: NetworkMode.AWS_VPC, or HOST`,
  );
}
