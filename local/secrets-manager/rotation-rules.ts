import type { RotationRulesType } from "@aws-sdk/client-secrets-manager";
import type { Day } from "../../core/aws/cron.ts";
import {
  type Cadence,
  isRefused,
  parseRotationExpression,
  type RotationExpression,
} from "../../core/aws/rotation-expression.ts";
import { AwsError } from "../http/aws-error.ts";
import { assertConstraints } from "../http/check-constraints.ts";

/** When a secret is rotated, from its rules. */
export interface RotationPlan {
  readonly cadence: Cadence;
  /** Length of the window. Undefined: the cadence decides. */
  readonly hours: number | undefined;
}

/** When a rotation may start. Here it starts when the window opens. */
export interface RotationWindow {
  readonly opens: number;
  readonly closes: number;
}

/** Milliseconds. */
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/**
 * Read the rules of RotateSecret. Undefined if they have no schedule.
 *
 * @throws AwsError that names the problem.
 */
export function readRules(rules: RotationRulesType | undefined): RotationPlan | undefined {
  const { AutomaticallyAfterDays, Duration, ScheduleExpression } = rules ?? {};
  assertConstraints("secretsmanager", "RotateSecret", { RotationRules: rules });
  if (AutomaticallyAfterDays !== undefined && ScheduleExpression !== undefined)
    throw invalid("You cannot specify both rotation frequency and schedule expression together.");
  const hours = Duration === undefined ? undefined : durationOf(Duration);
  const times = timesOf(AutomaticallyAfterDays, ScheduleExpression);
  if (times === undefined) {
    if (hours === undefined) return undefined;
    throw invalid("Duration needs AutomaticallyAfterDays or ScheduleExpression.");
  }
  const { cadence, longestWindow } = times;
  if (hours !== undefined && hours > longestWindow)
    throw invalid(
      `The window of ${Duration} extends into the next rotation window or the next UTC day.`,
    );
  return { cadence, hours };
}

const invalid = (message: string): AwsError => new AwsError("InvalidParameterException", message);

function durationOf(duration: string): number {
  const hours = Number.parseInt(duration, 10);
  if (hours >= 1) return hours;
  throw invalid(`The Duration ${duration} is not a number of hours, such as 3h.`);
}

/** A template may have the days as text. */
function timesOf(
  days: unknown,
  expression: string | undefined,
): Pick<RotationExpression, "cadence" | "longestWindow"> | undefined {
  if (expression !== undefined) {
    const read = parseRotationExpression(expression);
    if (!isRefused(read)) return read;
    throw invalid(`Invalid ScheduleExpression ${expression}: it ${read.fault}; ${read.remedy}.`);
  }
  if (days === undefined) return undefined;
  return { cadence: { kind: "days", days: Math.floor(Number(days)) }, longestWindow: 24 };
}

const midnight = (instant: number): number => Math.floor(instant / DAY) * DAY;

/**
 * The first window that opens after `now`. The schedule counts from `from`: the last rotation or
 * the last new value by hand.
 */
export function nextWindow({ cadence, hours }: RotationPlan, from: number, now: number) {
  const opens = opensAfter(cadence, from, now);
  const end = hours === undefined ? endOf(cadence, opens) : opens + hours * HOUR;
  return { opens, closes: end } satisfies RotationWindow;
}

function opensAfter(cadence: Cadence, from: number, now: number): number {
  switch (cadence.kind) {
    case "days": {
      const opens = midnight(from) + cadence.days * DAY;
      return opens > now ? opens : midnight(now) + DAY;
    }
    case "hours": {
      const every = cadence.hours * HOUR;
      return (Math.floor(now / every) + 1) * every;
    }
    case "cron":
      return cronOpensAfter(cadence, now);
  }
}

/** A rotation happens at least once a year. */
function cronOpensAfter({ hours, isDay }: Extract<Cadence, { kind: "cron" }>, now: number): number {
  for (let day = midnight(now); ; day += DAY) {
    if (!isDay(dayAt(day))) continue;
    const opens = hours.map((hour) => day + hour * HOUR).find((each) => each > now);
    if (opens !== undefined) return opens;
  }
}

function dayAt(instant: number): Day {
  const date = new Date(instant);
  return {
    month: date.getUTCMonth() + 1,
    dayOfMonth: date.getUTCDate(),
    lastOfMonth: new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
    dayOfWeek: date.getUTCDay() + 1,
  };
}

/** One hour for schedules in hours, the rest of the day for others. */
function endOf(cadence: Cadence, opens: number): number {
  const isHourly =
    cadence.kind === "hours" || (cadence.kind === "cron" && cadence.hours.length > 1);
  return isHourly ? opens + HOUR : midnight(opens) + DAY;
}
