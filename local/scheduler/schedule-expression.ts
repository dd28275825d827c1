import type { CreateScheduleInput } from "@aws-sdk/client-scheduler";
import { validationError } from "../http/aws-error.ts";
import { assertConstraints } from "../http/check-constraints.ts";

/** When a schedule fires. In milliseconds; `at` since the Unix epoch. */
export type Timing = { readonly at: number } | { readonly every: number };

const UNITS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const AT = /^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/;
const RATE = /^rate\((\d+) (minute|hour|day)s?\)$/;

/**
 * `at(yyyy-mm-ddThh:mm:ss)` or `rate(n unit)`, in UTC.
 *
 * @throws AwsError `ValidationException` for anything else, including `cron`.
 */
export function parseExpression(expression: string | undefined): Timing {
  const [, time] = AT.exec(expression ?? "") ?? [];
  const at = Date.parse(`${time}Z`);
  if (!Number.isNaN(at)) return { at };
  if (expression?.startsWith("cron("))
    throw validationError(
      `the local runner has schedules of at(…) and rate(…), not ${expression}; AWS has cron(…) too`,
    );
  const [, count, unit] = RATE.exec(expression ?? "") ?? [];
  const every = Number(count) * UNITS[unit as keyof typeof UNITS];
  if (every > 0) return { every };
  throw validationError(`Invalid Schedule Expression ${expression}.`);
}

const IMPLEMENTED = [
  "Name",
  "GroupName",
  "ScheduleExpression",
  "ScheduleExpressionTimezone",
  "FlexibleTimeWindow",
  "ActionAfterCompletion",
  "Target",
  "State",
  "Description",
  "ClientToken",
];

/**
 * Check the input of CreateSchedule.
 *
 * @throws AwsError `ValidationException`, also for members that the local runner does not have.
 */
export function validateSchedule(request: CreateScheduleInput, now: number): Timing {
  assertConstraints("scheduler", "CreateSchedule", request);
  const unknown = Object.keys(request).filter((each) => !IMPLEMENTED.includes(each));
  const zone = request.ScheduleExpressionTimezone ?? "UTC";
  if (
    unknown.length > 0 ||
    request.FlexibleTimeWindow?.Mode !== "OFF" ||
    !/^(?:Etc\/)?UTC$/.test(zone)
  )
    throw validationError(
      `the local runner has schedules in UTC, with FlexibleTimeWindow OFF, without ${unknown.join(", ") || "other settings"}`,
    );
  const timing = parseExpression(request.ScheduleExpression);
  if ("at" in timing && timing.at <= now)
    throw validationError(
      `Invalid Schedule Expression ${request.ScheduleExpression}. It is in the past.`,
    );
  return timing;
}
