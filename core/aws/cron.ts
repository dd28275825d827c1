/** When a cron expression fires: UTC hours, and by how many hours it does. */
export interface CronTimes {
  /** Between two firings; unit: hours. */
  readonly shortest: number;
  readonly longest: number;
  /** The last hour of a day that fires, 0 to 23. */
  readonly lastHour: number;
}

interface Day {
  readonly month: number;
  readonly dayOfMonth: number;
  readonly lastOfMonth: number;
  /** 1 is Sunday. */
  readonly dayOfWeek: number;
}
type DayTest = (day: Day) => boolean;

const MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(" ");
const WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split(" ");
/** Of the Gregorian calendar: after so many years it repeats, weekdays included. */
const CYCLE_YEARS = 400;
const SATURDAY = 7;

/** What a field may hold; names count from `min`. */
interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const HOUR: Field = { min: 0, max: 23 };
const DAY_OF_MONTH: Field = { min: 1, max: 31 };
const MONTH: Field = { min: 1, max: 12, names: MONTHS };
const DAY_OF_WEEK: Field = { min: 1, max: 7, names: WEEKDAYS };

function numberIn(text: string, { min, max, names = [] }: Field): number | undefined {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + min : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** The values of one part of a list: `*`, `3`, `1-5`, `2/10`, or `/8`, which begins at the first. */
function valuesOf(part: string, field: Field): number[] | undefined {
  const [span = "", stepText, ...more] = part.split("/");
  const step = stepText === undefined ? 1 : Number(stepText);
  if (more.length > 0 || !Number.isInteger(step) || step < 1 || stepText === "") return undefined;
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

/** One of the two day fields says which days; the other is `?`. */
function dayTest(ofMonth: string, ofWeek: string): DayTest | undefined {
  if (ofWeek === "?") return ofMonth === "?" ? undefined : dayOfMonthTest(ofMonth);
  return ofMonth === "?" ? dayOfWeekTest(ofWeek) : undefined;
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

function daysIn(month: number, year: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Every day that fires, counted from 2000-01-01, in one cycle of the calendar; and its length. */
function firingDays(months: ReadonlySet<number>, fires: DayTest): [number[], number] {
  const found: number[] = [];
  let count = 0; // 2000-01-01 was a Saturday
  for (let year = 2000; year < 2000 + CYCLE_YEARS; year++)
    for (let month = 1; month <= 12; month++) {
      const lastOfMonth = daysIn(month, year);
      for (let dayOfMonth = 1; dayOfMonth <= lastOfMonth; dayOfMonth++, count++) {
        const dayOfWeek = ((count + SATURDAY - 1) % 7) + 1;
        if (months.has(month) && fires({ month, dayOfMonth, lastOfMonth, dayOfWeek }))
          found.push(count);
      }
    }
  return [found, count];
}

/**
 * When `cron(0 hours day-of-month month day-of-week *)` fires, with what Secrets Manager knows of
 * cron: minutes 0, every year, `? * , - / L #`. `undefined` for anything else.
 *
 * Source: "Rotation schedules" in the user guide of Secrets Manager.
 */
export function cronTimes(expression: string): CronTimes | "never" | undefined {
  const [, body = ""] = /^cron\(([^()]+)\)$/.exec(expression) ?? [];
  const [minutes, hoursText = "", ofMonth = "", monthText = "", ofWeek = "", year, ...rest] =
    body.split(" ");
  const hours = [...(setOf(hoursText, HOUR) ?? [])].sort((a, b) => a - b);
  const months = setOf(monthText, MONTH);
  const fires = dayTest(ofMonth, ofWeek);
  const [firstHour, lastHour] = [hours.at(0), hours.at(-1)];
  if (minutes !== "0" || year !== "*" || rest.length > 0) return undefined;
  if (firstHour === undefined || lastHour === undefined || !months || !fires) return undefined;
  const [days, cycle] = firingDays(months, fires);
  const [firstDay] = days;
  if (firstDay === undefined) return "never";
  const ofDays = days.map((day, i) => (days[i + 1] ?? firstDay + cycle) - day);
  const gaps = [
    ...new Set(ofDays.map((apart) => 24 * apart - lastHour + firstHour)),
    ...hours.slice(1).map((hour, i) => hour - (hours[i] ?? hour)),
  ];
  return { shortest: Math.min(...gaps), longest: Math.max(...gaps), lastHour };
}
