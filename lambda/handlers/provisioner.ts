import { Logger } from "@aws-lambda-powertools/logger";
import { operationOf } from "../../core/provisioning/operation.ts";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { composeProvisioner } from "./compose-provisioner.ts";
import { type CustomResourceResult, parseCustomResource } from "./custom-resource.ts";
import { serve } from "./serve.ts";
import { lambdaTelemetry } from "./telemetry.ts";

const logger = new Logger();
const telemetry = lambdaTelemetry(logger, process.env.DATABASE);

/**
 * `Custom::MayflyProvision`, behind CDK's provider framework: prepares the database for leases.
 * Invoked by its alias `converge`, it only repeats that, with the deployed plan.
 */
export const handler = serve<unknown, CustomResourceResult | ConvergeReport>({
  logger,
  telemetry,
  failureMetric: "ProvisioningFailed",
}).handler(async (event, { invokedFunctionArn }) => {
  const operation = operationOf(invokedFunctionArn);
  const provisioner = composeProvisioner(process.env, { logger, telemetry });
  if (operation === "converge") return provisioner.converge(event);
  await provisioner.provision(parseCustomResource(event));
  return { PhysicalResourceId: "mayfly-provision" };
});
