import { type Duration, milliseconds, minutes, toSeconds } from "../../../core/time.ts";

/** Who read a login right before the next one came, may take that long to connect. */
const MARGIN = minutes(5);
/** What a keeper reaches of a role's maximum. See docs/keeper.md. */
const PART_OF_MAXIMUM = 0.465;

/** For how long leases must overlap, where clients keep what they read for `clientCache`. */
export const overlapFor = (clientCache: Duration): Duration =>
  milliseconds(clientCache + Math.min(MARGIN, clientCache / 6));

/**
 * What to do where logins overlap by less than clients keep them: a client would go on with one
 * that is over. Undefined: nothing. At most 160 characters.
 */
export function cacheAdvice(
  name: string,
  clientCache: Duration,
  overlap: Duration,
): string | undefined {
  const wanted = overlapFor(clientCache);
  if (overlap >= wanted) return undefined;
  const longest = milliseconds(overlap - Math.min(MARGIN, overlap / 7));
  const maximum = Math.ceil(wanted / PART_OF_MAXIMUM / minutes(1));
  return `${name.slice(0, 40)}: its logins overlap by ${toSeconds(overlap)} s; set clients' caches and clientCache to ${toSeconds(longest)} s, or the role's maxTtl to ${maximum} minutes`;
}
