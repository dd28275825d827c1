import type {
  CreateScheduleInput,
  GetScheduleOutput,
  ScheduleSummary,
} from "@aws-sdk/client-scheduler";
import type { Timing } from "./schedule-expression.ts";
import type { ScheduleTarget } from "./schedule-target.ts";

/** An existing schedule. */
export interface StoredSchedule {
  readonly arn: string;
  readonly group: string;
  readonly name: string;
  readonly request: CreateScheduleInput;
  readonly target: ScheduleTarget;
  readonly timing: Timing;
  readonly createdAt: Date;
  timer?: NodeJS.Timeout;
}

/** The entry in the answer of ListSchedules. */
export const summarized = (schedule: StoredSchedule): ScheduleSummary => {
  const { arn, group, name, request, createdAt } = schedule;
  return {
    Arn: arn,
    GroupName: group,
    Name: name,
    State: request.State ?? "ENABLED",
    CreationDate: createdAt,
    LastModificationDate: createdAt,
    Target: { Arn: request.Target?.Arn },
  };
};

/** The answer of GetSchedule. */
export function shown(schedule: StoredSchedule): GetScheduleOutput {
  const { ClientToken: _, ...request } = schedule.request;
  return {
    ActionAfterCompletion: "NONE",
    ScheduleExpressionTimezone: "UTC",
    ...request,
    ...summarized(schedule),
    Target: request.Target,
  };
}
