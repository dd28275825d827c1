import {
  DeleteScheduleGroupCommand,
  ResourceNotFoundException,
  type SchedulerClient,
} from "@aws-sdk/client-scheduler";
import { fromAwsError } from "./from-aws-error.ts";

/** Delete a group and every schedule in it. Safe to repeat. */
export async function deleteScheduleGroup(
  client: Pick<SchedulerClient, "send">,
  Name: string,
): Promise<void> {
  try {
    await client.send(new DeleteScheduleGroupCommand({ Name }));
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return;
    throw fromAwsError(`schedule group ${Name} could not be deleted`, error);
  }
}
