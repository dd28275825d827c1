import { type Duration, type Instant, milliseconds } from "../../core/time.ts";
import type { ClientTime } from "../time.ts";

/** A moment, by both clocks of this machine. */
export interface Moment {
  readonly wall: Instant;
  readonly monotonic: Duration;
}

export const momentOf = (time: ClientTime): Moment => ({
  wall: time.now(),
  monotonic: time.monotonic(),
});

/**
 * How much time has passed, or more: the larger of both clocks' answers. The monotonic clock stands
 * still while a machine sleeps or a function is frozen; the wall clock may be set.
 */
export const elapsedSince = (time: ClientTime, { wall, monotonic }: Moment): Duration =>
  milliseconds(Math.max(time.now() - wall, time.monotonic() - monotonic));

/** How much time has passed for certain, if nobody has set the wall clock: time awake. */
export const awakeSince = (time: ClientTime, { monotonic }: Moment): Duration =>
  milliseconds(time.monotonic() - monotonic);
