declare const unit: unique symbol;

/** A point in time. Unit: milliseconds since the Unix epoch, UTC. */
export type Instant = number & { readonly [unit]: "instant" };

/** A length of time. Unit: milliseconds. Never negative. */
export type Duration = number & { readonly [unit]: "duration" };

export const milliseconds = (n: number): Duration => n as Duration;
export const seconds = (n: number): Duration => (n * 1_000) as Duration;
export const minutes = (n: number): Duration => seconds(n * 60);
export const hours = (n: number): Duration => minutes(n * 60);

/** The whole seconds in a length of time, rounded down. */
export const toSeconds = (length: Duration): number => Math.floor(length / 1_000);

export const plus = (at: Instant, by: Duration): Instant => (at + by) as Instant;
export const between = (from: Instant, to: Instant): Duration => Math.max(0, to - from) as Duration;
export const later = (a: Instant, b: Instant): Instant => Math.max(a, b) as Instant;

/**
 * The first whole second at or after `at`, because Scheduler has no fractions. Unit: seconds since
 * the epoch.
 */
export const epochSecondsCeil = (at: Instant): number => Math.ceil(at / 1_000);

/** ISO 8601, UTC, milliseconds. */
// biome-ignore lint/style/noRestrictedGlobals: formatting a given instant reads no clock
export const iso = (at: Instant): string => new Date(at).toISOString();

/** The only way the core reads the clock or waits. Only adapters use `Date.now` and timers. */
export interface Time {
  now(): Instant;
  /** Resolve after `length`. Never rejects. */
  wait(length: Duration): Promise<void>;
}
