import {
  ConflictException,
  CreateScheduleCommand,
  DeleteScheduleCommand,
  GetScheduleCommand,
  ListSchedulesCommand,
  ResourceNotFoundException,
  type SchedulerClient,
} from "@aws-sdk/client-scheduler";
import type { ScheduleInput, Scheduler } from "../../core/leases/lease-ports.ts";
import { parseScheduleInput } from "../../core/leases/revocation/schedules.ts";
import { fromAwsError } from "./from-aws-error.ts";

/** The group of the one-time schedules, and the queue that they fill. */
export interface ScheduleTarget {
  readonly group: string;
  readonly queueArn: string;
  readonly roleArn: string;
  readonly deadLetterArn: string;
}

/** If a revocation cannot be delivered for this long, it is left to the sweep. */
const RETRY_POLICY = { MaximumRetryAttempts: 10, MaximumEventAgeInSeconds: 3_600 };
const MAX_RESULTS = 100;

/** EventBridge Scheduler as a {@link Scheduler}: one group, one target. */
export function eventBridgeScheduler(
  client: Pick<SchedulerClient, "send">,
  target: ScheduleTarget,
): Scheduler {
  const { group: GroupName } = target;
  return {
    create: async (name, atEpochSeconds, input) => {
      try {
        await client.send(createCommand(target, name, atEpochSeconds, input));
        return "made";
      } catch (error) {
        if (error instanceof ConflictException) return "exists";
        throw fromAwsError(
          `schedule ${name} could not be created`,
          "scheduler:CreateSchedule",
          error,
        );
      }
    },
    names: async () => {
      const names: string[] = [];
      let NextToken: string | undefined;
      do {
        const page = await client
          .send(new ListSchedulesCommand({ GroupName, MaxResults: MAX_RESULTS, NextToken }))
          .catch((error: unknown) => {
            throw fromAwsError(
              `the schedules of group ${GroupName} could not be listed`,
              "scheduler:ListSchedules",
              error,
            );
          });
        names.push(...(page.Schedules ?? []).flatMap(({ Name }) => Name ?? []));
        NextToken = page.NextToken;
      } while (NextToken !== undefined);
      return names;
    },
    read: async (name) => {
      try {
        const { Target } = await client.send(new GetScheduleCommand({ GroupName, Name: name }));
        return parseScheduleInput(JSON.parse(Target?.Input ?? "null"));
      } catch (error) {
        if (error instanceof ResourceNotFoundException || error instanceof SyntaxError)
          return undefined;
        throw fromAwsError(`schedule ${name} could not be read`, "scheduler:GetSchedule", error);
      }
    },
    remove: async (name) => {
      try {
        await client.send(new DeleteScheduleCommand({ GroupName, Name: name }));
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return;
        throw fromAwsError(
          `schedule ${name} could not be removed`,
          "scheduler:DeleteSchedule",
          error,
        );
      }
    },
  };
}

const createCommand = (
  { group, queueArn, roleArn, deadLetterArn }: ScheduleTarget,
  name: string,
  atEpochSeconds: number,
  input: ScheduleInput,
): CreateScheduleCommand =>
  new CreateScheduleCommand({
    Name: name,
    GroupName: group,
    ScheduleExpression: atExpression(atEpochSeconds),
    ScheduleExpressionTimezone: "UTC",
    FlexibleTimeWindow: { Mode: "OFF" },
    ActionAfterCompletion: "DELETE",
    Target: {
      Arn: queueArn,
      RoleArn: roleArn,
      Input: JSON.stringify(input),
      RetryPolicy: RETRY_POLICY,
      DeadLetterConfig: { Arn: deadLetterArn },
    },
  });

/** `at(yyyy-mm-ddThh:mm:ss)`: Scheduler accepts no fractions and no time zone here. */
const atExpression = (epochSeconds: number): string =>
  `at(${new Date(epochSeconds * 1_000).toISOString().slice(0, 19)})`;
