import { cronTimes } from "../aws/cron.ts";

/** When a secret is rotated, as `RotationRules` of Secrets Manager says it. */
export interface RotationTimes {
  /** `ScheduleExpression`: `rate(30 days)`, or `cron(…)` in UTC. */
  readonly expression: string;
  /** The longest time between two rotations. */
  readonly periodSeconds: number;
  /** `Duration`: within so many hours of the schedule's time, e.g. `2h`. */
  readonly window?: string;
}

/** What is wrong with a text, and what to write. */
export interface Refused {
  readonly fault: string;
  readonly remedy: string;
}

/** A schedule that can be kept, and the longest window that ends before its next one; in hours. */
export interface ParsedSchedule extends RotationTimes {
  readonly longestWindow: number;
}

export const DEFAULT_SCHEDULE = "30d";

/** Hours: "You can rotate a secret as often as every four hours". */
const SHORTEST = 4;
/** Days, of a rate: "The maximum rotation period is 999 days". */
const LONGEST = 999;
/** Days, of cron: a year, and the six days by which its first Monday may move. */
const LONGEST_CRON = 371;
const DAY = 24;

const HOURS = { s: 1 / 3_600, m: 1 / 60, h: 1, d: DAY } as const;

const FORMS = 'write a length such as "30d" or "12h", or "cron(0 4 1 * ? *)"';
const CRON =
  'write "cron(0 hours day-of-month month day-of-week *)", in UTC and on the hour, with ? for one of the days, e.g. "cron(0 4 1 * ? *)"';

const refuse = (fault: string, remedy: string): Refused => ({ fault, remedy });

/** Tell what was refused from what was read. */
export const isRefused = (result: object): result is Refused => "fault" in result;

const plural = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`;

function parseRate(count: number, unit: keyof typeof HOURS): ParsedSchedule | Refused {
  const hours = count * HOURS[unit];
  if (hours < SHORTEST)
    return refuse(
      "is more often than every four hours",
      'write at least "4h"; leases are for what must end sooner',
    );
  if (hours > LONGEST * DAY) return refuse("is longer than 999 days", 'write at most "999d"');
  const days = hours / DAY;
  const wholeDays = Number.isInteger(days);
  if (!wholeDays && (!Number.isInteger(hours) || hours > DAY))
    return refuse("is no rate of Secrets Manager", 'write whole hours up to "23h", or whole days');
  return {
    expression: `rate(${wholeDays ? plural(days, "day") : plural(hours, "hour")})`,
    periodSeconds: hours * 3_600,
    longestWindow: Math.min(hours, DAY),
  };
}

function parseCron(expression: string): ParsedSchedule | Refused {
  const times = cronTimes(expression);
  if (times === undefined) return refuse("is no schedule of Secrets Manager", CRON);
  if (times === "never")
    return refuse("never comes", "write a day that one of its months has, e.g. L for the last");
  const { shortest, longest, lastHour } = times;
  if (shortest < SHORTEST)
    return refuse(
      `has rotations ${plural(shortest, "hour")} apart`,
      "leave at least four hours between two, over midnight too",
    );
  if (longest > LONGEST_CRON * DAY)
    return refuse(
      `has rotations ${Math.ceil(longest / DAY)} days apart`,
      "leave no more than a year between two",
    );
  // a window ends before the next begins, and on the UTC day on which it began
  const longestWindow = Math.min(shortest, DAY - lastHour);
  return { expression, periodSeconds: longest * 3_600, longestWindow };
}

/** Read `30d`, `12h` or `cron(…)`, by the rules of Secrets Manager. */
export function parseSchedule(text: string): ParsedSchedule | Refused {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return parseRate(Number(count), unit as keyof typeof HOURS);
  return text.startsWith("cron") ? parseCron(text) : refuse("is no schedule", FORMS);
}

/** Read a window such as `2h` for a schedule. */
export function parseWindow(text: string, schedule: ParsedSchedule): string | Refused {
  const [, hours] = /^(\d{1,2})h$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) < 1 || Number(hours) > DAY)
    return refuse("is no window", 'write whole hours, "1h" to "24h"');
  const { longestWindow, expression } = schedule;
  if (Number(hours) <= longestWindow) return `${Number(hours)}h`;
  return refuse(
    `does not end on its day, or before the next of ${expression}`,
    `write at most "${longestWindow}h"`,
  );
}
