import {
  isRefused,
  parseRotationExpression,
  type Refused,
  type RotationExpression,
  rotationRate,
  SHORTEST_ROTATION,
} from "../aws/rotation-expression.ts";

export { isRefused, type Refused } from "../aws/rotation-expression.ts";

/** When a secret is rotated: the `RotationRules` of Secrets Manager. */
export interface RotationTimes {
  /** `ScheduleExpression`: `rate(30 days)`, or `cron(…)` in UTC. */
  readonly expression: string;
  /** The longest time between two rotations. */
  readonly periodSeconds: number;
  /** `Duration`: the window after the schedule's time, in hours, e.g. `2h`. */
  readonly window?: string;
}

/** A valid schedule, and the longest window that ends before its next time; in hours. */
export interface ParsedSchedule extends RotationTimes {
  readonly longestWindow: number;
}

export const DEFAULT_SCHEDULE = "30d";

const DAY = 24;

const HOURS = { s: 1 / 3_600, m: 1 / 60, h: 1, d: DAY } as const;

const FORMS = 'write a length such as "30d" or "12h", or "cron(0 4 1 * ? *)"';

const refuse = (fault: string, remedy: string): Refused => ({ fault, remedy });

/** A length as a rate, in days if it is a whole number of days. */
function rateOf(hours: number): RotationExpression | Refused {
  if (Number.isInteger(hours / DAY)) return rotationRate(hours / DAY, "day");
  if (hours < SHORTEST_ROTATION || Number.isInteger(hours)) return rotationRate(hours, "hour");
  return refuse("is not a rate that Secrets Manager accepts", "write whole hours or whole days");
}

/** A rotation at an interval of hours, by the rules of Secrets Manager. */
export const scheduleEvery = (hours: number): ParsedSchedule | Refused => scheduleOf(rateOf(hours));

/** Parse `30d`, `12h`, or an expression of Secrets Manager, by its rules. */
export function parseSchedule(text: string): ParsedSchedule | Refused {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return scheduleEvery(Number(count) * HOURS[unit as keyof typeof HOURS]);
  return /^(?:cron|rate)\(/.test(text)
    ? scheduleOf(parseRotationExpression(text))
    : refuse("is no schedule", FORMS);
}

function scheduleOf(read: RotationExpression | Refused): ParsedSchedule | Refused {
  if (isRefused(read)) return read;
  const { expression, longest, longestWindow } = read;
  return { expression, periodSeconds: longest * 3_600, longestWindow };
}

/** The hours of a window such as `2h`. */
export function parseWindow(text: string): number | Refused {
  const [, hours] = /^(\d{1,2})h$/.exec(text) ?? [];
  return hours === undefined ? refuseWindow() : windowOf(Number(hours));
}

/** A window in hours: whole hours up to a day. */
export const windowOf = (hours: number): number | Refused =>
  Number.isInteger(hours) && hours >= 1 && hours <= DAY ? hours : refuseWindow();

const refuseWindow = (): Refused => refuse("is not a window", 'write whole hours, "1h" to "24h"');

/** What is wrong with a window, in hours, for a schedule. Undefined if nothing is wrong. */
export const faultOfWindow = (hours: number, schedule: ParsedSchedule): Refused | undefined =>
  hours <= schedule.longestWindow
    ? undefined
    : refuse(
        `must end on the day it begins, and before the next rotation of ${schedule.expression}`,
        `write at most "${schedule.longestWindow}h"`,
      );
