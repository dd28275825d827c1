import { minutes } from "../../core/time.ts";
import type { Keeper } from "../keeper/keeper.ts";
import { safePoolLifetime } from "../proxy/ends/end-phases.ts";

/** Where a login ends without a next one, or has no end. What the longest overlap allows. */
const LIFETIME_WITHOUT_OVERLAP = minutes(30);

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
  const { overlap } = keeper;
  const lifetime = overlap === undefined ? LIFETIME_WITHOUT_OVERLAP : safePoolLifetime(overlap);
  return { maxLifetimeSeconds: lifetime / 1_000 };
}
