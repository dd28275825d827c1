import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { convertErrors } from "./boundary.ts";
import { composeProvisioner } from "./compose-provisioner.ts";
import { type CustomResourceResult, isCustomResource } from "./custom-resource.ts";

const logger = new Logger();

/**
 * `Custom::MayflyProvision`, behind CDK's provider framework: makes the database ready for leases.
 * Invoked by the operator function with `converge`, it does so again.
 */
export const handler = middy<unknown, CustomResourceResult | ConvergeReport>()
  .use(convertErrors(logger))
  .handler(async (event) => {
    const provisioner = composeProvisioner(process.env, logger);
    if (!isCustomResource(event)) return provisioner.converge(event);
    await provisioner.provision(event);
    return { PhysicalResourceId: "mayfly-provision" };
  });
