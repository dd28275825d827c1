import type { Engine, LeaseDeps } from "../lease-ports.ts";
import type { Sighting } from "../server.ts";

/** The outcome for leases that were found on another server than the one they were created on. */
export interface Ended {
  readonly revoked: number;
  readonly quarantined: number;
  /** Leases that may still log in. */
  readonly left: number;
}

/** The actor of these revocations in audit lines. */
export const RESTORE_ACTOR = "restore";

/**
 * Report that leases were found on another server. Record that server as theirs once none of them
 * can log in. If the process dies earlier, the next one repeats everything.
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
