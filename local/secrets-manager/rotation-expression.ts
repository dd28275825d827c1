import { AwsError } from "../http/aws-error.ts";

/** How often a secret is rotated. Days of a cron expression are those of UTC. */
export type Cadence =
  | { readonly days: number }
  | { readonly hours: number }
  | {
      /** At which hours of a day, ascending. */
      readonly at: readonly number[];
      readonly isDay: (day: Date) => boolean;
    };

const RATE = /^rate\((\d+) (hour|day)s?\)$/;
const CRON = /^cron\(([^()]+)\)$/;
const LEAST_HOURS = 4;
const MOST_DAYS = 999;
const MONTHS = "JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC".split(",");
const WEEKDAYS = "SUN,MON,TUE,WED,THU,FRI,SAT".split(",");
/** Milliseconds. */
const DAY = 86_400_000;

/**
 * `rate(n hours|days)` or `cron(0 hours day-of-month month day-of-week *)`.
 *
 * @throws AwsError `InvalidParameterException` for anything else, for more often than every four
 *   hours, and for more rarely than every 999 days.
 */
export function parseRotationExpression(expression: string): Cadence {
  const [, count, unit] = RATE.exec(expression) ?? [];
  const [, fields] = CRON.exec(expression) ?? [];
  if (unit === undefined && fields === undefined)
    throw refused(expression, "it is neither rate(n hours), rate(n days) nor cron(…)");
  if (fields !== undefined) return parseCron(expression, fields.split(" "));
  const hours = Number(count) * (unit === "day" ? 24 : 1);
  if (hours < LEAST_HOURS || hours > MOST_DAYS * 24)
    throw refused(expression, `a rate is ${LEAST_HOURS} hours to ${MOST_DAYS} days`);
  return unit === "day" ? { days: Number(count) } : { hours };
}

function parseCron(expression: string, fields: readonly string[]): Cadence {
  const [minutes, hours = "", dayOfMonth = "", month = "", dayOfWeek = "", year] = fields;
  const fail = (why: string): AwsError => refused(expression, why);
  if (fields.length !== 6) throw fail("it has no six fields");
  if (minutes !== "0") throw fail("minutes must be 0");
  if (year !== "*") throw fail("year must be *");
  // AWS's own examples have * for the day of the month beside a day of the week
  const isAnyDayOfMonth = dayOfMonth === "*" && dayOfWeek !== "*";
  if ((dayOfMonth === "?") === (dayOfWeek === "?") && !isAnyDayOfMonth)
    throw fail("one of day-of-month and day-of-week must be ?");
  const at = numbersIn(hours, { from: 0, to: 23 }, fail);
  const months = numbersIn(month, { from: 1, to: 12, names: MONTHS }, fail);
  const ofMonth = dayOfMonth === "?" ? () => true : dayOfMonthIn(dayOfMonth, fail);
  const ofWeek = dayOfWeek === "?" ? () => true : dayOfWeekIn(dayOfWeek, fail);
  if (closest(at) < LEAST_HOURS) throw fail(`hours must be ${LEAST_HOURS} apart`);
  const isDay = (day: Date): boolean =>
    months.includes(day.getUTCMonth() + 1) && ofMonth(day) && ofWeek(day);
  return { at, isDay };
}

/** The smallest distance between two of these hours, also over midnight; 24 for one. */
export const closest = (hours: readonly number[]): number =>
  Math.min(...hours.map((hour, index) => (hours[index + 1] ?? (hours[0] ?? 0) + 24) - hour));

type Fail = (why: string) => AwsError;
type DayTest = (day: Date) => boolean;

interface Range {
  readonly from: number;
  readonly to: number;
  /** Names of the numbers, from `from` on. */
  readonly names?: readonly string[];
}

/** `*`, `a`, `a-b`, either with `/step`, and lists of these. Ascending. */
function numbersIn(field: string, { from, to, names = [] }: Range, fail: Fail): number[] {
  const numberOf = (word: string): number => {
    const named = names.indexOf(word.toUpperCase());
    const number = named >= 0 ? named + from : /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (number >= from && number <= to) return number;
    throw fail(`"${word}" is not in ${from}-${to}`);
  };
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const [range = "", step, ...more] = part.split("/");
    const [first = "", last] = range === "*" ? [`${from}`, `${to}`] : range.split("-");
    const start = numberOf(first);
    const end = last === undefined ? (step === undefined ? start : to) : numberOf(last);
    if (more.length > 0 || end < start || (step !== undefined && !/^[1-9]\d*$/.test(step)))
      throw fail(`"${part}" is no value, range or increment`);
    for (let each = start; each <= end; each += Number(step ?? 1)) found.add(each);
  }
  return [...found].sort((a, b) => a - b);
}

const isInSameMonth = (day: Date, days: number): boolean =>
  new Date(day.getTime() + days * DAY).getUTCMonth() === day.getUTCMonth();

function dayOfMonthIn(field: string, fail: Fail): DayTest {
  if (field === "L") return (day) => !isInSameMonth(day, 1);
  const days = numbersIn(field, { from: 1, to: 31 }, fail);
  return (day) => days.includes(day.getUTCDate());
}

/** Also `SUNL`, the last Sunday of a month, `SUN#1`, the first, and `L`, the last of a week. */
function dayOfWeekIn(field: string, fail: Fail): DayTest {
  const range = { from: 1, to: 7, names: WEEKDAYS };
  const [, last] = /^(.+)L$/i.exec(field) ?? [];
  const [, named, nth] = /^(.+)#([1-5])$/.exec(field) ?? [];
  const days = numbersIn(field === "L" ? "SAT" : (last ?? named ?? field), range, fail);
  return (day) => {
    if (!days.includes(day.getUTCDay() + 1)) return false;
    if (last !== undefined) return !isInSameMonth(day, 7);
    return nth === undefined || Math.ceil(day.getUTCDate() / 7) === Number(nth);
  };
}

const refused = (expression: string, why: string): AwsError =>
  new AwsError("InvalidParameterException", `Invalid ScheduleExpression ${expression}: ${why}.`);
