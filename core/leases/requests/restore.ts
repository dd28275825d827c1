import type { Engine, LeaseDeps } from "../lease-ports.ts";
import type { Sighting } from "../server.ts";

/** What became of the leases that were found on another server than they were made on. */
export interface Ended {
  readonly revoked: number;
  readonly quarantined: number;
  /** Those that may still log in. */
  readonly left: number;
}

/** Who revokes them, in audit lines. */
export const RESTORE_ACTOR = "restore";

/**
 * Say that leases were found on another server, and take it for theirs once none of those can log
 * in. Whoever dies before has done nothing that the next one would not do again.
 */
export async function adopt(
  {
    engine,
    telemetry,
  }: { readonly engine: Pick<Engine, "recordServer">; readonly telemetry: LeaseDeps["telemetry"] },
  { stamped, seen }: Sighting,
  { revoked, quarantined, left }: Ended,
): Promise<void> {
  telemetry.measure("ServersRestored", 1);
  const leases = revoked + quarantined + left;
  telemetry.audit({ event: "cluster.restored", stamped, seen, leases, left });
  if (left === 0) await engine.recordServer(seen);
}
