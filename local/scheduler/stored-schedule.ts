import type {
  CreateScheduleInput,
  GetScheduleOutput,
  ScheduleSummary,
} from "@aws-sdk/client-scheduler";
import type { Timing } from "./schedule-expression.ts";
import type { ScheduleTarget } from "./schedule-target.ts";

/** A schedule that is there. */
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

/** As ListSchedules shows it. */
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

/** As GetSchedule shows it. */
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
