import { expect, test } from "vitest";
import {
  faultOfWindow,
  isRefused,
  parseSchedule,
  parseWindow,
} from "../../core/rotation/schedule.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;

test.each<[text: string, expression: string, periodSeconds: number]>([
  ["30d", "rate(30 days)", 30 * DAY],
  ["1d", "rate(1 day)", DAY],
  ["24h", "rate(1 day)", DAY],
  ["48h", "rate(2 days)", 2 * DAY],
  ["12h", "rate(12 hours)", 12 * HOUR],
  ["4h", "rate(4 hours)", 4 * HOUR],
  ["240m", "rate(4 hours)", 4 * HOUR],
  ["999d", "rate(999 days)", 999 * DAY],
  ["36h", "rate(36 hours)", 36 * HOUR],
  ["rate(5 days)", "rate(5 days)", 5 * DAY],
  ["rate(1 days)", "rate(1 day)", DAY],
  ["rate(36 hours)", "rate(36 hours)", 36 * HOUR],
])("%s is %s, at most so many seconds apart", (text, expression, periodSeconds) => {
  expect(parseSchedule(text)).toMatchObject({ expression, periodSeconds });
});

// the first nine are AWS's own examples, or have their shape
test.each<[expression: string, longest: number, longestWindow: number]>([
  ["cron(0 /8 * * ? *)", 8 * HOUR, 8],
  ["cron(0 8/8 * * ? *)", 16 * HOUR, 8],
  ["cron(0 2/10 * * ? *)", 10 * HOUR, 2],
  ["cron(0 4/12 * * ? *)", 12 * HOUR, 8],
  ["cron(0 18 ? * SAT *)", 7 * DAY, 6],
  ["cron(0 8 1 * ? *)", 31 * DAY, 16],
  ["cron(0 1 ? 1/3 SUN#1 *)", 98 * DAY, 23],
  ["cron(0 17 L * ? *)", 31 * DAY, 7],
  ["cron(0 16 1,15 * ? *)", 17 * DAY, 8],
  ["cron(0 8 ? * MON-FRI *)", 3 * DAY, 16],
  ["cron(0 0 ? * 2#1 *)", 35 * DAY, 24],
  ["cron(0 4 ? * 6L *)", 35 * DAY, 20],
  ["cron(0 4 ? * L *)", 7 * DAY, 20],
  ["cron(0 4 1 jan,jul ? *)", 184 * DAY, 20],
  ["cron(0 4 ? JAN MON#1 *)", 371 * DAY, 20],
  ["cron(0 4 31 * ? *)", 61 * DAY, 20], // from March to May
  ["cron(0 2/20 1 * ? *)", 31 * DAY - 20 * HOUR, 2],
])("%s has rotations at most so far apart, and this window", (expression, longest, window) => {
  expect(parseSchedule(expression)).toEqual({
    expression,
    periodSeconds: longest,
    longestWindow: window,
  });
});

const LENGTH = /^write a length such as "30d" or "12h", or "cron\(0 4 1 \* \? \*\)"$/;
const FIELDS = /^write "cron\(0 hours day-of-month month day-of-week \*\)", in UTC and on the hour/;
const HOURS_FAULT = "has hours that Secrets Manager does not accept";
const INCREMENT = /^write one hour, 0 to 23, or an increment such as "\/8" or "2\/10"$/;

test.each<[text: string, fault: string, remedy: RegExp]>([
  ["3h", "is more often than every four hours", /^write at least "4h"/],
  ["0d", "is more often than every four hours", /^write at least "4h"/],
  ["1000d", "is longer than 999 days", /^write at most "999d"$/],
  ["290m", "is not a rate that Secrets Manager accepts", /^write whole hours or whole days$/],
  ["30 days", "is no schedule", LENGTH],
  ["rate(3 hours)", "is more often than every four hours", /^write at least "4h"/],
  ["rate(0 days)", "is more often than every four hours", /^write at least "4h"/],
  ["rate(1000 days)", "is longer than 999 days", /^write at most "999d"$/],
  ["rate(1 week)", "is not a schedule that Secrets Manager accepts", /^write "rate\(30 days\)"/],
  ["", "is no schedule", LENGTH],
  ["cron(0 /2 * * ? *)", "has rotations 2 hours apart", /^leave at least four hours between two/],
  ["cron(0 /7 * * ? *)", "has rotations 3 hours apart", /over midnight too$/],
  ["cron(0 1,23 1 * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 9-17/4 * * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 */8 * * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 * * * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 4/1e1 * * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 4 29 2 ? *)", "has rotations 1461 days apart", /^leave no more than a year/],
  ["cron(30 4 1 * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 1 * ? 2030)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 1 * * *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 ? * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 24 1 * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 0 * * SUN *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 10 ? * 1,2#1 *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 32 * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 1 FOO ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 15W * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 ? * MON#6 *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 5-1 * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4/0 1 * ? *)", HOURS_FAULT, INCREMENT],
  ["cron(0 4 31 2 ? *)", "never comes", /^write a day that one of its months has/],
  ["cron(0 4 1 * ?)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0 4 1 * ? * *)", "is not a schedule that Secrets Manager accepts", FIELDS],
  ["cron(0  4 1 * ? *)", "is not a schedule that Secrets Manager accepts", FIELDS],
])("%s is refused with a remedy", (text, fault, remedy) => {
  expect(parseSchedule(text)).toEqual({ fault, remedy: expect.stringMatching(remedy) });
});

function windowOf(text: string, schedule: string): unknown {
  const parsed = parseSchedule(schedule);
  if (isRefused(parsed)) throw new Error(parsed.fault);
  const hours = parseWindow(text);
  if (typeof hours !== "number") return hours;
  return faultOfWindow(hours, parsed) ?? `${hours}h`;
}

test.each([
  ["24h", "30d"],
  ["12h", "12h"],
  ["1h", "4h"],
  ["20h", "cron(0 4 1 * ? *)"],
  ["8h", "cron(0 /8 * * ? *)"],
])("a window of %s fits %s", (window, schedule) => {
  expect(windowOf(window, schedule)).toBe(window);
});

test.each<[string, string, string]>([
  ["5h", "4h", 'write at most "4h"'],
  ["21h", "cron(0 4 1 * ? *)", 'write at most "20h"'], // it would end on the next day
  ["9h", "cron(0 /8 * * ? *)", 'write at most "8h"'],
  ["25h", "30d", 'write whole hours, "1h" to "24h"'],
  ["0h", "30d", 'write whole hours, "1h" to "24h"'],
  ["1.5h", "30d", 'write whole hours, "1h" to "24h"'],
  ["90m", "30d", 'write whole hours, "1h" to "24h"'],
])("a window of %s is refused for %s", (window, schedule, remedy) => {
  expect(windowOf(window, schedule)).toMatchObject({ remedy });
});
