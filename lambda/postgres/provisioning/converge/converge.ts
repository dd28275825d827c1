import { ConfigError } from "../../../../core/errors.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { ConvergeReport } from "../../../../core/provisioning/report.ts";
import { withSession } from "../../connection/session.ts";
import { asAdmin } from "../admin-login.ts";
import type { ProvisionDeps } from "../dependencies.ts";
import { LIMITS } from "../limits.ts";
import { converge, onCheckedCluster } from "../provision.ts";
import { maintenanceExists } from "../remove/drop-roles.ts";
import { serverSeen, stampOf } from "./stamp.ts";

/**
 * Apply the deployed plan again, as an update of the stack would, and report what changed.
 *
 * @throws ConfigError like provisioning; also if the tag does not belong to this stack: only a
 *   deployment may claim it.
 */
export const makeConverge =
  (deps: ProvisionDeps) =>
  async (plan: ProvisionPlan, stackId: string): Promise<ConvergeReport> => {
    const warnings: string[] = [];
    const warn: ProvisionDeps["warn"] = (step, facts = {}) => {
      warnings.push(wordsOf(step, facts));
      deps.warn(step, facts);
    };
    const exists = await asAdmin(deps, plan, (admin) =>
      withSession(admin, LIMITS, (session) => maintenanceExists(session, plan)),
    );
    if (!exists) throw notOurs(plan.tag, `there is no database "${plan.maintenanceDatabase}"`);
    return onCheckedCluster({ ...deps, warn }, plan, async (connection) => {
      const stamp = await stampOf(connection.session, plan.tag);
      if (stamp?.id !== stackId)
        throw notOurs(plan.tag, `it belongs to ${stamp?.id ?? "nobody"}, and this is ${stackId}`);
      const seen = await serverSeen(connection.session, deps.serverId);
      const sighting = { ...(stamp.server && { stamped: stamp.server }), seen };
      const changes = await converge({ ...deps, warn }, connection, plan, sighting);
      deps.log("converged", changes);
      return { ...changes, warnings };
    });
  };

const notOurs = (tag: string, why: string): ConfigError =>
  new ConfigError(
    `the tag "${tag}" is not this stack's, and nothing was changed: ${why}; deploy the stack, which claims it or says why it cannot`,
  );

const wordsOf = (step: string, facts: Readonly<Record<string, string | number>>): string =>
  [step, ...Object.entries(facts).map(([name, value]) => `${name}: ${value}`)].join("; ");
