import { Logger } from "@aws-lambda-powertools/logger";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { composeProvisioner } from "./compose-provisioner.ts";
import { type CustomResourceResult, isCustomResource } from "./custom-resource.ts";
import { serve } from "./serve.ts";
import { lambdaTelemetry } from "./telemetry.ts";

const logger = new Logger();
const telemetry = lambdaTelemetry(logger, process.env.DATABASE);

/**
 * `Custom::MayflyProvision`, behind CDK's provider framework: prepares the database for leases. The
 * operator function invokes it with `converge` to repeat that.
 */
export const handler = serve<unknown, CustomResourceResult | ConvergeReport>({
  logger,
  telemetry,
  failureMetric: "ProvisioningFailed",
}).handler(async (event) => {
  const provisioner = composeProvisioner(process.env, { logger, telemetry });
  if (!isCustomResource(event)) return provisioner.converge(event);
  await provisioner.provision(event);
  return { PhysicalResourceId: "mayfly-provision" };
});
