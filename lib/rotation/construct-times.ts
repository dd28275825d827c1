import { Duration } from "aws-cdk-lib";
import { custom, pipe, transform } from "valibot";
import { readBy, type TimeFields } from "../../config/rotation-times.ts";
import { type Field, says } from "../../config/schema/fields.ts";
import { windowOf } from "../../core/rotation/schedule.ts";
import { RotationSchedule } from "./rotation-schedule.ts";

const duration: Field<Duration> = custom<Duration>(
  (value) => value instanceof Duration,
  says("is not a Duration", "pass one, e.g. Duration.hours(1)"),
);

/** A length of time in construct props: a Duration. Returns seconds. */
export const DURATION: Field<Duration, number> = pipe(
  duration,
  transform((length) => length.toSeconds()),
);

/** Rotation times in construct props. */
export const CONSTRUCT_TIMES: TimeFields<RotationSchedule, Duration> = {
  schedule: readBy(
    custom<RotationSchedule>(
      (value) => value instanceof RotationSchedule,
      says("is not a RotationSchedule", "pass one, e.g. RotationSchedule.every(Duration.days(7))"),
    ),
    ({ parsed }) => parsed,
  ),
  everyMonth: RotationSchedule.every(Duration.days(30)),
  window: readBy(duration, (length) => windowOf(length.toHours({ integral: false }))),
};
