import { type Duration, milliseconds, minutes, seconds } from "../../../core/time.ts";

/**
 * When the sessions of a lease that has a next one are ended, counted back from the lease's end,
 * and how long a session must have been quiet to be ended before the last phase.
 */
export interface EndPhases {
  /** From here on, what is quiet is ended. Nothing before. */
  readonly quiet: Duration;
  /** How long nothing must have passed. */
  readonly quietFor: Duration;
  /** From here on, the rest is ended between transactions. */
  readonly last: Duration;
  /** From here on, what is still there is ended wherever it is. */
  readonly forced: Duration;
}

/**
 * The phases for an overlap. With the usual 35 minutes nothing is ended for 30: that is the default
 * lifetime of HikariCP's connections, and the longest of the pools that have a default at all but
 * psycopg_pool and pgxpool (60 minutes). Then pools take 5 minutes' worth of quiet connections
 * without an error, because they look at one that rested before they hand it out. Half a minute is
 * what most transactions need; two seconds is what HikariCP takes for rested, with a margin.
 * A short overlap has the same proportions, so that every phase still comes.
 */
export function endPhases(overlap: Duration): EndPhases {
  const quiet = Math.min(minutes(5), overlap / 7);
  const last = Math.min(seconds(30), overlap / 20);
  return {
    quiet: milliseconds(quiet),
    quietFor: milliseconds(Math.min(seconds(2), (quiet - last) / 2)),
    last: milliseconds(last),
    // the revocation that follows takes a call, and clocks differ a little
    forced: milliseconds(Math.min(seconds(2), overlap / 100)),
  };
}

/**
 * How long connections of a pool may live so that the pool itself replaces them before the proxy
 * ends them.
 */
export const safePoolLifetime = (overlap: Duration): Duration =>
  milliseconds(overlap - endPhases(overlap).quiet);

/** What becomes of a session now. */
export type EndDecision = "keep" | "end" | "end-between-transactions" | "force";

/** @param left until the end of the session's lease. `quietFor`: since its last byte. */
export function decideEnd(
  phases: EndPhases,
  left: Duration,
  session: { readonly isIdle: boolean; readonly quietFor: Duration },
): EndDecision {
  if (left <= phases.forced) return "force";
  if (left <= phases.last) return "end-between-transactions";
  if (left > phases.quiet) return "keep";
  return session.isIdle && session.quietFor >= phases.quietFor ? "end" : "keep";
}
