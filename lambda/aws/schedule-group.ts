import {
  DeleteScheduleGroupCommand,
  ResourceNotFoundException,
  type SchedulerClient,
} from "@aws-sdk/client-scheduler";
import { fromAwsError } from "./from-aws-error.ts";

/** The group that holds the schedules of all leases. */
export interface ScheduleGroup {
  readonly name: string;
  /** Delete it, with every schedule in it. Safe to repeat. */
  remove(): Promise<void>;
}

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
      throw fromAwsError(`schedule group ${name} could not be deleted`, error);
    }
  },
});
