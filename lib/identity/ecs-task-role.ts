import type { Construct } from "constructs";
import { ecsTaskTrust } from "../../core/aws/trust/services.ts";
import { type ConsumerRoleProps, IdentityRole, placeOf } from "./identity-role.ts";

/**
 * A task role for ECS tasks of the stack's account and Region. Give it to a task definition as
 * `taskRole`; the execution role is another, with which ECS starts the task.
 */
export class EcsTaskRole extends IdentityRole {
  constructor(scope: Construct, id: string, props: ConsumerRoleProps = {}) {
    super(scope, id, ecsTaskTrust(placeOf(scope)), {
      description: `Mayfly: tasks of ${id}`,
      ...props,
    });
  }
}
