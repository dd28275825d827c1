import {
  DeleteScheduleGroupCommand,
  ResourceNotFoundException,
  type SchedulerClient,
} from "@aws-sdk/client-scheduler";
import type { ScheduleGroup } from "../../core/leases/lease-ports.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** A group of EventBridge Scheduler. */
export const scheduleGroup = (
  client: Pick<SchedulerClient, "send">,
  name: string,
): ScheduleGroup => ({
  name,
  remove: async () => {
    try {
      await client.send(new DeleteScheduleGroupCommand({ Name: name }));
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return;
      throw fromAwsError(
        `schedule group ${name} could not be deleted`,
        "scheduler:DeleteScheduleGroup",
        error,
      );
    }
  },
});
