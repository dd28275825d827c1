import {
  DeleteScheduleGroupCommand,
  ResourceNotFoundException,
  SchedulerClient,
  SchedulerServiceException,
} from "@aws-sdk/client-scheduler";
import { mockClient } from "aws-sdk-client-mock";
import { expect, onTestFinished, test } from "vitest";
import { scheduleGroup } from "../../../lambda/aws/schedule-group.ts";
import { removeScheduleGroup } from "../../../lambda/postgres/provisioning/remove/remove-schedule-group.ts";

/** A group over a client that answers like this. */
function groupOver(answer?: Error) {
  const client = mockClient(SchedulerClient);
  onTestFinished(() => client.restore());
  const remove = client.on(DeleteScheduleGroupCommand);
  if (answer === undefined) remove.resolves({});
  else remove.rejects(answer);
  const group = scheduleGroup(new SchedulerClient({ region: "eu-central-1" }), "leases");
  return { client, group };
}

const fault = (name: string): Error =>
  new SchedulerServiceException({ name, $fault: "client", $metadata: {}, message: "words" });

test("a schedule group is deleted by its name, and one that is gone is deleted already", async () => {
  const { client, group } = groupOver();
  await group.remove();
  expect(client.commandCalls(DeleteScheduleGroupCommand)[0]?.args[0].input).toEqual({
    Name: "leases",
  });
  const gone = new ResourceNotFoundException({ message: "none", Message: "none", $metadata: {} });
  await groupOver(gone).group.remove();
});

test.each([
  ["AccessDeniedException", "AwsRefusedError"],
  ["ConflictException", "SchedulerUnavailableError"],
])("%s is a %s", async (name, error) => {
  await expect(groupOver(fault(name)).group.remove()).rejects.toMatchObject({
    name: error,
    message: expect.stringContaining(
      `schedule group leases could not be deleted (${name} on scheduler:DeleteScheduleGroup)`,
    ),
  });
});

test("a group that cannot be deleted is logged with the reason, and the deletion succeeds", async () => {
  const lines: string[] = [];
  const warnings: object[] = [];
  await removeScheduleGroup({
    scheduleGroup: groupOver(fault("AccessDeniedException")).group,
    log: (step) => lines.push(step),
    warn: (step, facts = {}) => warnings.push({ step, ...facts }),
  });
  expect(lines).toEqual([]);
  expect(warnings).toEqual([
    {
      step: expect.stringMatching(/could not be deleted: .* delete-schedule-group --name leases$/),
      group: "leases",
      reason: expect.stringContaining("AccessDeniedException"),
    },
  ]);
});
