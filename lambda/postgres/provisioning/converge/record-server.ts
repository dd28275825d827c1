import { adopt, RESTORE_ACTOR } from "../../../../core/leases/requests/restore.ts";
import { judgeServer, type Sighting } from "../../../../core/leases/server.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Login } from "../../connection/login.ts";
import type { ClusterConnection } from "../cluster-connection.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { revoke } from "../remove/dismiss.ts";
import { withLeases } from "../remove/leases.ts";
import { moveStamp } from "./stamp.ts";

/**
 * If the server is not the one in the stamp, but a copy, a restored or a promoted server, revoke
 * every lease. Then record this server in the tag's stamp.
 *
 * @throws DatabaseUnavailableError if a lease could not be revoked; then the stamp is not changed.
 */
export async function recordServer(
  deps: ProvisionDeps,
  { session }: Pick<ClusterConnection, "session">,
  plan: ProvisionPlan,
  issuer: Login,
  sighting: Sighting,
): Promise<void> {
  const { stamped, seen } = sighting;
  const record = (server: typeof seen) => moveStamp(session, plan.tag, server);
  if (judgeServer(sighting) !== "other") {
    const isWritten = stamped?.timeline !== undefined || seen.timeline === undefined;
    if (stamped === undefined || !isWritten) await record(seen);
    return;
  }
  deps.warn("the server is not the one that leases were made on: all of them are revoked", {
    stamped: JSON.stringify(stamped),
    seen: JSON.stringify(seen),
  });
  await withLeases(deps, plan, issuer, async (leases) => {
    const { revoked, quarantined } = await revoke(deps, leases, () => true, RESTORE_ACTOR);
    const counts = { revoked: revoked.length, quarantined: quarantined.length, left: 0 };
    await adopt({ engine: { recordServer: record }, telemetry: deps.telemetry }, sighting, counts);
  });
}
