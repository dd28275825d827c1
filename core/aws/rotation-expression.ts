import { type Cron, type CronFault, parseCron } from "./cron.ts";

/** How often a secret is rotated. */
export type Cadence =
  | { readonly kind: "days"; readonly days: number }
  | { readonly kind: "hours"; readonly hours: number }
  | ({ readonly kind: "cron" } & Cron);

/** A `ScheduleExpression` that Secrets Manager accepts. */
export interface RotationExpression {
  readonly expression: string;
  readonly cadence: Cadence;
  /** The longest time between two rotations; unit: hours. */
  readonly longest: number;
  /** The longest window that ends on its day and before the next rotation; unit: hours. */
  readonly longestWindow: number;
}

/** What is wrong with a text, and the remedy. */
export interface Refused {
  readonly fault: string;
  readonly remedy: string;
}

/** Whether the result is a refusal. */
export const isRefused = (result: unknown): result is Refused =>
  typeof result === "object" && result !== null && "fault" in result;

/** Hours: "You can rotate a secret as often as every four hours". */
export const SHORTEST_ROTATION = 4;
/** Days, for a rate: "The maximum rotation period is 999 days". */
const LONGEST = 999;
/** Days, for cron: one year, plus the six days by which the first Monday of a year can move. */
const LONGEST_CRON = 371;
const DAY = 24;

const CRON =
  'write "cron(0 hours day-of-month month day-of-week *)", in UTC and on the hour, with ? for one of the days, e.g. "cron(0 4 1 * ? *)"';

const CRON_FAULTS: Readonly<Record<CronFault, Refused>> = {
  form: { fault: "is not a schedule that Secrets Manager accepts", remedy: CRON },
  hours: {
    fault: "has hours that Secrets Manager does not accept",
    remedy: 'write one hour, 0 to 23, or an increment such as "/8" or "2/10"',
  },
  never: {
    fault: "never comes",
    remedy: "write a day that one of its months has, e.g. L for the last",
  },
};

const refuse = (fault: string, remedy: string): Refused => ({ fault, remedy });

/** "1 hour", "2 hours". */
export const plural = (count: number, unit: string): string =>
  `${count} ${unit}${count === 1 ? "" : "s"}`;

/** A rate of whole hours or days. */
export function rotationRate(count: number, unit: "hour" | "day"): RotationExpression | Refused {
  const hours = count * (unit === "day" ? DAY : 1);
  if (hours < SHORTEST_ROTATION)
    return refuse(
      "is more often than every four hours",
      'write at least "4h"; leases are for what must end sooner',
    );
  if (hours > LONGEST * DAY) return refuse("is longer than 999 days", 'write at most "999d"');
  return {
    expression: `rate(${plural(count, unit)})`,
    cadence: unit === "day" ? { kind: "days", days: count } : { kind: "hours", hours },
    longest: hours,
    longestWindow: Math.min(hours, DAY),
  };
}

function readCron(expression: string): RotationExpression | Refused {
  const cron = parseCron(expression);
  if (typeof cron === "string") return CRON_FAULTS[cron];
  const { shortest, longest, hours } = cron;
  if (shortest < SHORTEST_ROTATION)
    return refuse(
      `has rotations ${plural(shortest, "hour")} apart`,
      "leave at least four hours between two, over midnight too",
    );
  if (longest > LONGEST_CRON * DAY)
    return refuse(
      `has rotations ${Math.ceil(longest / DAY)} days apart`,
      "leave no more than a year between two",
    );
  const longestWindow = Math.min(shortest, DAY - (hours.at(-1) ?? 0));
  return { expression, cadence: { kind: "cron", ...cron }, longest, longestWindow };
}

/**
 * Read `rate(n hours)`, `rate(n days)` or `cron(…)`, as Secrets Manager does.
 *
 * Source: "Rotation schedules" in the user guide of Secrets Manager.
 */
export function parseRotationExpression(text: string): RotationExpression | Refused {
  const [, count, unit] = /^rate\((\d{1,9}) (hour|day)s?\)$/.exec(text) ?? [];
  if (count !== undefined) return rotationRate(Number(count), unit === "day" ? "day" : "hour");
  if (text.startsWith("cron(")) return readCron(text);
  return refuse(
    "is not a schedule that Secrets Manager accepts",
    'write "rate(30 days)", "rate(12 hours)" or "cron(0 4 1 * ? *)"',
  );
}
