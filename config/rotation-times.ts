import * as v from "valibot";
import {
  DEFAULT_SCHEDULE,
  faultOfWindow,
  isRefused,
  type ParsedSchedule,
  parseSchedule,
  parseWindow,
  type Refused,
  type RotationTimes,
} from "../core/rotation/schedule.ts";
import { type Field, object, type Report, ruled, says } from "./schema/fields.ts";

/** The schemas of times: text in a configuration, Duration in construct props. */
export interface TimeFields<Schedule, Window> {
  readonly schedule: Field<Schedule, ParsedSchedule>;
  /** The default schedule. */
  readonly everyMonth: Schedule;
  /** Returns hours. */
  readonly window: Field<Window, number>;
}

/** A field that core/rotation/schedule.ts parses and checks. */
export const readBy = <In, Out>(
  schema: Field<In>,
  read: (value: In) => Out | Refused,
): Field<In, Out> =>
  v.pipe(
    schema,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (!isRefused(result)) return result;
      addIssue({ message: says(result.fault, result.remedy) });
      return NEVER;
    }),
  );

const noText = (read: (text: string) => unknown): Field<string> => {
  const refused = read("");
  return v.string(isRefused(refused) ? says(refused.fault, refused.remedy) : "");
};

/** Times in a configuration: `"30d"`, `"cron(0 4 1 * ? *)"`, `"2h"`. */
export const WRITTEN_TIMES: TimeFields<string, string> = {
  schedule: readBy(noText(parseSchedule), parseSchedule),
  everyMonth: DEFAULT_SCHEDULE,
  window: readBy(noText(parseWindow), parseWindow),
};

/** When a secret is rotated. */
export const timesEntries = <Schedule, Window>(fields: TimeFields<Schedule, Window>) => ({
  /**
   * A length, e.g. `"30d"` or `"12h"`, at least `"4h"`; or `"cron(0 4 1 * ? *)"`, in UTC and on the hour.
   * @default - every 30 days
   */
  schedule: v.optional<Field<Schedule, ParsedSchedule>, () => Schedule>(
    fields.schedule,
    () => fields.everyMonth,
  ),
  /**
   * How long after the schedule's time a rotation may begin, e.g. `"2h"`; whole hours.
   * @default - one hour if the schedule is in hours, otherwise until midnight (UTC)
   */
  window: v.optional(fields.window),
});

/** Fields that were read. */
export interface TimesFields {
  readonly schedule: ParsedSchedule;
  readonly window?: number | undefined;
}

/** A window must fit its schedule. */
export function checkTimes({ schedule, window }: TimesFields, report: Report): void {
  const fault = window === undefined ? undefined : faultOfWindow(window, schedule);
  if (fault !== undefined) report(["window"], says(fault.fault, fault.remedy));
}

/** When the passwords of Mayfly's own logins are rotated. */
export const loginRotationSchema = <Schedule, Window>(fields: TimeFields<Schedule, Window>) =>
  ruled(
    object(timesEntries(fields), 'write { schedule: "30d" }'),
    (times: TimesFields, report, isFine) => {
      if (isFine("schedule") && isFine("window")) checkTimes(times, report);
    },
  );

export const toTimes = ({ schedule, window }: TimesFields): RotationTimes => ({
  expression: schedule.expression,
  periodSeconds: schedule.periodSeconds,
  ...(window !== undefined && { window: `${window}h` }),
});
