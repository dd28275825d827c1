import type { RotationRulesType } from "@aws-sdk/client-secrets-manager";
import { describe, expect, test } from "vitest";
import { nextWindow, readRules } from "../../local/secrets-manager/rotation-rules.ts";

/** A Wednesday. */
const NOW = "2031-01-15T10:30:00Z";

function windowOf(rules: RotationRulesType, from = NOW, now = NOW): string {
  const plan = readRules(rules);
  if (plan === undefined) throw new Error("no plan");
  const { opens, closes } = nextWindow(plan, Date.parse(from), Date.parse(now));
  return [opens, closes].map((each) => new Date(each).toISOString().slice(0, 16)).join(" - ");
}

const by = (ScheduleExpression: string, Duration?: string): RotationRulesType =>
  Duration === undefined ? { ScheduleExpression } : { ScheduleExpression, Duration };

describe("the next window", () => {
  test.each<[RotationRulesType, string]>([
    [{ AutomaticallyAfterDays: 30 }, "2031-02-14T00:00 - 2031-02-15T00:00"],
    [{ AutomaticallyAfterDays: 1, Duration: "3h" }, "2031-01-16T00:00 - 2031-01-16T03:00"],
    [by("rate(10 days)"), "2031-01-25T00:00 - 2031-01-26T00:00"],
    [by("rate(1 day)"), "2031-01-16T00:00 - 2031-01-17T00:00"],
    [by("rate(4 hours)"), "2031-01-15T12:00 - 2031-01-15T13:00"],
    [by("rate(12 hours)", "6h"), "2031-01-15T12:00 - 2031-01-15T18:00"],
    [by("cron(0 10 * * ? *)"), "2031-01-16T10:00 - 2031-01-17T00:00"],
    [by("cron(0 11 * * ? *)", "2h"), "2031-01-15T11:00 - 2031-01-15T13:00"],
    [by("cron(0 4/12 * * ? *)"), "2031-01-15T16:00 - 2031-01-15T17:00"],
    [by("cron(0 /8 * * ? *)"), "2031-01-15T16:00 - 2031-01-15T17:00"],
    [by("rate(36 hours)"), "2031-01-15T12:00 - 2031-01-15T13:00"],
    [by("cron(0 8/8 * * ? *)"), "2031-01-15T16:00 - 2031-01-15T17:00"],
    [by("cron(0 18 ? * SAT *)"), "2031-01-18T18:00 - 2031-01-19T00:00"],
    [by("cron(0 18 ? * L *)"), "2031-01-18T18:00 - 2031-01-19T00:00"],
    [by("cron(0 8 1 * ? *)"), "2031-02-01T08:00 - 2031-02-02T00:00"],
    [by("cron(0 1 ? 1/3 SUN#1 *)"), "2031-04-06T01:00 - 2031-04-07T00:00"],
    [by("cron(0 17 L * ? *)"), "2031-01-31T17:00 - 2031-02-01T00:00"],
    [by("cron(0 8 ? * MON-FRI *)"), "2031-01-16T08:00 - 2031-01-17T00:00"],
    [by("cron(0 16 1,15 * ? *)"), "2031-01-15T16:00 - 2031-01-16T00:00"],
    [by("cron(0 0 ? * SUN#1 *)"), "2031-02-02T00:00 - 2031-02-03T00:00"],
    [by("cron(0 10 ? FEB,MAY,AUG,NOV TUE#2 *)"), "2031-02-11T10:00 - 2031-02-12T00:00"],
    [by("cron(0 0 ? * SUNL *)"), "2031-01-26T00:00 - 2031-01-27T00:00"],
    [by("cron(0 0 ? * 1L *)"), "2031-01-26T00:00 - 2031-01-27T00:00"],
    [by("cron(0 8 1/10 * ? *)"), "2031-01-21T08:00 - 2031-01-22T00:00"],
  ])("%j", (rules, window) => {
    expect(windowOf(rules)).toBe(window);
  });

  test("is counted from the last rotation, and is not in the past", () => {
    const rules = { AutomaticallyAfterDays: 7 };
    const late = windowOf(rules, "2031-01-12T23:00:00Z");
    const missed = windowOf(rules, "2030-12-01T00:00:00Z");
    expect([late, missed]).toEqual([
      "2031-01-19T00:00 - 2031-01-20T00:00",
      "2031-01-16T00:00 - 2031-01-17T00:00",
    ]);
  });

  test("is a later one once it has opened", () => {
    const opening = "2031-01-15T12:00:00Z";
    expect(windowOf(by("rate(4 hours)"), opening, opening)).toMatch(/^2031-01-15T16:00/);
    expect(windowOf(by("cron(0 12 * * ? *)"), opening, opening)).toMatch(/^2031-01-16T12:00/);
  });
});

test("no rules mean no schedule", () => {
  expect([readRules(undefined), readRules({})]).toEqual([undefined, undefined]);
});

describe("rules are refused", () => {
  const INVALID = "InvalidParameterException";
  const VALIDATION = "ValidationException";
  test.each<[RotationRulesType, string, string]>([
    [
      { AutomaticallyAfterDays: 1, ScheduleExpression: "rate(1 day)" },
      INVALID,
      "You cannot specify both rotation frequency and schedule expression together.",
    ],
    [
      { AutomaticallyAfterDays: 0 },
      VALIDATION,
      "Value '0' at 'rotationRules.automaticallyAfterDays'",
    ],
    [{ AutomaticallyAfterDays: 1_001 }, VALIDATION, "'rotationRules.automaticallyAfterDays'"],
    [by("rate(1 week)"), INVALID, "Invalid ScheduleExpression rate(1 week)"],
    [by("cron(0 10 30 2 ? *)"), INVALID, "cron(0 10 30 2 ? *)"],
    [by("rate(1 day)", "3"), VALIDATION, "at 'rotationRules.duration'"],
    [by("rate(1 day)", "3m"), VALIDATION, "at 'rotationRules.duration'"],
    [by("rate(1 day)", "0h"), INVALID, "is not a number of hours"],
    [by("rate(1 day)", "25h"), INVALID, "extends into"],
    [by("rate(4 hours)", "5h"), INVALID, "extends into"],
    [by("cron(0 20 * * ? *)", "5h"), INVALID, "extends into"],
    [by("cron(0 0/8 * * ? *)", "9h"), INVALID, "extends into"],
    [{ Duration: "3h" }, INVALID, "Duration needs"],
  ])("%j", (rules, name, message) => {
    expect(() => readRules(rules)).toThrow(
      expect.objectContaining({ name, message: expect.stringContaining(message) }),
    );
  });
});
