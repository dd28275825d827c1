import { type Duration, milliseconds, minutes, toSeconds } from "../../../core/time.ts";

/** Who read a login right before the next one came, may take that long to connect. */
const MARGIN = minutes(5);
/** A connection that began at the end of a cache is one of a pool, and lives that long. */
const LIFE_IN_POOL = minutes(35);
/** What a keeper reaches of a role's maximum. See docs/keeper.md. */
const PART_OF_MAXIMUM = 0.465;

/**
 * How long leases shall overlap, where clients keep what they read for `clientCache`: a connection
 * that a pool opens at the end of a cache then lives as long as with a login that is new.
 */
export const overlapFor = (clientCache: Duration): Duration =>
  milliseconds(clientCache + LIFE_IN_POOL);

/**
 * What to do where logins overlap by less than clients keep them: a client would go on with one
 * that is over. Undefined: nothing. At most 160 characters.
 */
export function cacheAdvice(clientCache: Duration, overlap: Duration): string | undefined {
  if (overlap >= clientCache + Math.min(MARGIN, clientCache / 6)) return undefined;
  const longest = milliseconds(overlap - Math.min(MARGIN, overlap / 7));
  const maximum = Math.ceil(overlapFor(clientCache) / PART_OF_MAXIMUM / minutes(1));
  return `its logins overlap by ${toSeconds(overlap)} s; set clients' caches and clientCache to ${toSeconds(longest)} s, or the role's maxTtl to ${maximum} minutes`;
}
