import { expect, test } from "vitest";
import { isRefused, parseSchedule } from "../../core/rotation/schedule.ts";
import { readRules } from "../../local/secrets-manager/rotation-rules.ts";

/** Whether the configuration takes an expression, and whether the local Secrets Manager does. */
function answers(ScheduleExpression: string): [configuration: boolean, runner: boolean] {
  const inConfiguration = !isRefused(parseSchedule(ScheduleExpression));
  try {
    return [inConfiguration, readRules({ ScheduleExpression }) !== undefined];
  } catch {
    return [inConfiguration, false];
  }
}

// each as the table of fields in "Rotation schedules" of AWS's user guide has it
test.each<[expression: string, isTaken: boolean]>([
  ["rate(4 hours)", true],
  ["rate(36 hours)", true],
  ["rate(5 days)", true],
  ["rate(999 days)", true],
  ["rate(3 hours)", false],
  ["rate(1000 days)", false],
  ["rate(30 minutes)", false],
  ["cron(0 /8 * * ? *)", true],
  ["cron(0 8/8 * * ? *)", true],
  ["cron(0 1 ? 1/3 SUN#1 *)", true],
  ["cron(0 17 L * ? *)", true],
  ["cron(0 0 ? * SUNL *)", true],
  ["cron(0 4 ? * L *)", true],
  ["cron(0 2/20 1 * ? *)", true], // 20 hours apart on one day, then a month
  ["cron(0 4 ? JAN MON#1 *)", true],
  ["cron(0 0 * * SUN *)", false], // a value in one of the days wants ? in the other
  ["cron(0 1,23 1 * ? *)", false], // of hours, AWS's table has increments alone
  ["cron(0 8-16/8 * * ? *)", false],
  ["cron(0 */8 * * ? *)", false],
  ["cron(0 /7 * * ? *)", false], // three hours over midnight
  ["cron(0 4 29 2 ? *)", false], // more than a year apart
  ["cron(0 10 ? * 1,2#1 *)", false], // # stands for one day of the week
  ["cron(0 4 31 2 ? *)", false],
  ["cron(0 4 15W * ? *)", false],
  ["cron(0 4 1 * ? 2031)", false],
  ["cron(30 4 1 * ? *)", false],
  ["cron(0 4/1e1 * * ? *)", false],
  ["cron(0 4 5-1 * ? *)", false],
])("%s: %s, by the configuration and by the local runner", (expression, isTaken) => {
  expect(answers(expression)).toEqual([isTaken, isTaken]);
});
