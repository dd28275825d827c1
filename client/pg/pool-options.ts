import { type Duration, minutes } from "../../core/time.ts";
import type { Keeper } from "../keeper/keeper.ts";

/** Fits into the longest overlap, 35 minutes, with time for a statement at its end. */
const LONGEST_LIFETIME = minutes(30);
/** The same part of a shorter overlap. */
const PART_OF_OVERLAP = 6 / 7;

/** The options of a `pg.Pool` that depend on its leases. */
export interface LeasedPoolOptions {
  /**
   * Seconds. A client that is older ends as soon as nobody uses it, and a new one takes the newest
   * lease.
   */
  readonly maxLifetimeSeconds: number;
}

/**
 * The options by which a pool is done with a lease before the lease ends: 30 minutes, or six
 * sevenths of the time for which two leases of the role are valid together, if that is shorter.
 *
 * @throws KeeperError if there is no lease: the role's times stand in it.
 */
export async function poolOptions(
  keeper: Pick<Keeper, "current" | "overlap">,
  signal?: AbortSignal,
): Promise<LeasedPoolOptions> {
  await keeper.current(signal);
  return { maxLifetimeSeconds: lifetimeWithin(keeper.overlap) / 1_000 };
}

/** @param overlap undefined where a login ends without a next one, or has no end. */
function lifetimeWithin(overlap: Duration | undefined): number {
  if (overlap === undefined) return LONGEST_LIFETIME;
  return Math.min(LONGEST_LIFETIME, Math.floor(overlap * PART_OF_OVERLAP));
}
