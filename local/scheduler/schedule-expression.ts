import type { CreateScheduleInput } from "@aws-sdk/client-scheduler";
import { validationError } from "../http/aws-error.ts";

/** When a schedule fires. Milliseconds; `at` since the Unix epoch. */
export type Timing = { readonly at: number } | { readonly every: number };

const UNITS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const AT = /^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/;
const RATE = /^rate\((\d+) (minute|hour|day)s?\)$/;

/**
 * `at(yyyy-mm-ddThh:mm:ss)` or `rate(n unit)`, in UTC.
 *
 * @throws AwsError `ValidationException` for anything else, `cron` included.
 */
export function parseExpression(expression: string | undefined): Timing {
  const [, time] = AT.exec(expression ?? "") ?? [];
  const at = Date.parse(`${time}Z`);
  if (!Number.isNaN(at)) return { at };
  const [, count, unit] = RATE.exec(expression ?? "") ?? [];
  const every = Number(count) * UNITS[unit as keyof typeof UNITS];
  if (every > 0) return { every };
  throw validationError(`Invalid Schedule Expression ${expression}.`);
}

const NAME = /^[0-9a-zA-Z-_.]{1,64}$/;
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
 * Check what CreateSchedule was given.
 *
 * @throws AwsError `ValidationException`, also for members that the local runner does not have.
 */
export function validateSchedule(request: CreateScheduleInput, now: number): Timing {
  for (const [member, value] of [
    ["name", request.Name],
    ["groupName", request.GroupName ?? "default"],
  ])
    if (!NAME.test(value ?? ""))
      throw validationError(
        `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$`,
      );
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
