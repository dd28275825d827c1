/** A valid schedule: when it fires, in UTC. */
export interface Cron {
  /** The hours of a day that fire, ascending. */
  readonly hours: readonly number[];
  readonly isDay: DayTest;
  /** Between two firings; unit: hours. */
  readonly shortest: number;
  readonly longest: number;
}

/** A day of the Gregorian calendar. */
export interface Day {
  readonly month: number;
  readonly dayOfMonth: number;
  readonly lastOfMonth: number;
  /** 1 is Sunday. */
  readonly dayOfWeek: number;
}
export type DayTest = (day: Day) => boolean;

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split(" ");
/** The calendar repeats after this many years, weekdays included, until the year 2100. */
const CYCLE_YEARS = 28;
const SATURDAY = 7;

/** The values that a field may have. Names count from `min`. */
interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const LAST_HOUR = 23;
const DAY_OF_MONTH: Field = { min: 1, max: 31 };
const MONTH: Field = { min: 1, max: 12, names: MONTHS };
const DAY_OF_WEEK: Field = { min: 1, max: 7, names: WEEKDAYS };

function numberIn(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** The increment; 1 if there is none. */
function stepOf(text: string | undefined): number | undefined {
  if (text === undefined) return 1;
  return /^[1-9]\d?$/.test(text) ? Number(text) : undefined;
}

/** The values of one part of a list: `*`, `3`, `1-5`, `2/10`, or `/8`, which begins at the first. */
function valuesOf(part: string, field: Field): number[] | undefined {
  const [span = "", stepText, ...more] = part.split("/");
  const step = stepOf(stepText);
  if (more.length > 0 || step === undefined) return undefined;
  const all = span === "*" || (span === "" && stepText !== undefined);
  const [first = "", last, ...others] = all ? [String(field.min)] : span.split("-");
  const from = numberIn(first, field);
  const open = all || stepText !== undefined;
  const to = last !== undefined ? numberIn(last, field) : open ? field.max : from;
  if (from === undefined || to === undefined || from > to || others.length > 0) return undefined;
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
}

function setOf(text: string, field: Field): ReadonlySet<number> | undefined {
  const found = new Set<number>();
  for (const part of text.split(",")) {
    const values = valuesOf(part, field);
    if (values === undefined) return undefined;
    for (const value of values) found.add(value);
  }
  return found;
}

/** One hour, or an increment such as `2/10` or `/8`. `/8` begins at midnight. */
function hoursOf(text: string): number[] | undefined {
  const [, firstText = "", stepText] = /^(\d{0,2})(?:\/(\d+))?$/.exec(text) ?? [];
  const first = firstText === "" && stepText !== undefined ? 0 : Number(firstText || Number.NaN);
  const step = stepOf(stepText);
  if (!(first <= LAST_HOUR) || step === undefined) return undefined;
  if (stepText === undefined) return [first];
  return Array.from(
    { length: Math.floor((LAST_HOUR - first) / step) + 1 },
    (_, i) => first + i * step,
  );
}

function dayOfMonthTest(text: string): DayTest | undefined {
  if (text === "L") return ({ dayOfMonth, lastOfMonth }) => dayOfMonth === lastOfMonth;
  const days = setOf(text, DAY_OF_MONTH);
  return days && (({ dayOfMonth }) => days.has(dayOfMonth));
}

function dayOfWeekTest(text: string): DayTest | undefined {
  const [, weekday = "", nth] = /^(\w+)#([1-5])$/.exec(text) ?? [];
  const numbered = numberIn(weekday, DAY_OF_WEEK);
  if (numbered !== undefined)
    return (day) => day.dayOfWeek === numbered && Math.ceil(day.dayOfMonth / 7) === Number(nth);
  if (text === "L") return ({ dayOfWeek }) => dayOfWeek === SATURDAY;
  const last = /^(\w+)L$/.test(text) ? numberIn(text.slice(0, -1), DAY_OF_WEEK) : undefined;
  if (last !== undefined)
    return (day) => day.dayOfWeek === last && day.dayOfMonth > day.lastOfMonth - 7;
  const days = setOf(text, DAY_OF_WEEK);
  return days && (({ dayOfWeek }) => days.has(dayOfWeek));
}

/** One of the two day fields selects the days; the other must be `?`. */
function dayTest(ofMonth: string, ofWeek: string): DayTest | undefined {
  if (ofWeek === "?") return ofMonth === "?" ? undefined : dayOfMonthTest(ofMonth);
  return ofMonth === "?" ? dayOfWeekTest(ofWeek) : undefined;
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysIn(month: number, year: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/**
 * Every day that fires in one cycle of the calendar, counted from 2000-01-01, and the cycle's
 * length.
 */
function firingDays(isDay: DayTest): [number[], number] {
  const found: number[] = [];
  let count = 0; // 2000-01-01 was a Saturday
  for (let year = 2000; year < 2000 + CYCLE_YEARS; year++)
    for (let month = 1; month <= 12; month++) {
      const lastOfMonth = daysIn(month, year);
      for (let dayOfMonth = 1; dayOfMonth <= lastOfMonth; dayOfMonth++, count++) {
        const dayOfWeek = ((count + SATURDAY - 1) % 7) + 1;
        if (isDay({ month, dayOfMonth, lastOfMonth, dayOfWeek })) found.push(count);
      }
    }
  return [found, count];
}

/** Why an expression is not a valid schedule. */
export type CronFault = "form" | "hours" | "never";

/**
 * Parse `cron(0 hours day-of-month month day-of-week *)` by Secrets Manager's table of fields:
 * minutes are 0, hours are one hour or an increment, days and months allow `? * , - / L #`, the
 * year is `*`.
 *
 * Source: "Rotation schedules" in the user guide of Secrets Manager.
 */
export function parseCron(expression: string): Cron | CronFault {
  const [, body = ""] = /^cron\(([^()]+)\)$/.exec(expression) ?? [];
  const [minutes, hoursText = "", ofMonth = "", monthText = "", ofWeek = "", year, ...rest] =
    body.split(" ");
  const months = setOf(monthText, MONTH);
  const fires = dayTest(ofMonth, ofWeek);
  if (minutes !== "0" || year !== "*" || rest.length > 0 || !months || !fires) return "form";
  const hours = hoursOf(hoursText);
  const [firstHour, lastHour] = [hours?.at(0), hours?.at(-1)];
  if (hours === undefined || firstHour === undefined || lastHour === undefined) return "hours";
  const isDay: DayTest = (day) => months.has(day.month) && fires(day);
  const [days, cycle] = firingDays(isDay);
  const [firstDay] = days;
  if (firstDay === undefined) return "never";
  const ofDays = days.map((day, i) => (days[i + 1] ?? firstDay + cycle) - day);
  const gaps = [
    ...new Set(ofDays.map((apart) => 24 * apart - lastHour + firstHour)),
    ...hours.slice(1).map((hour, i) => hour - (hours[i] ?? hour)),
  ];
  return { hours, isDay, shortest: Math.min(...gaps), longest: Math.max(...gaps) };
}
