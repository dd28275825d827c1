import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import { convertErrors } from "./boundary.ts";
import { composeProvisioner } from "./provisioning/compose.ts";
import type { CustomResourceEvent, CustomResourceResult } from "./provisioning/custom-resource.ts";

const logger = new Logger();

/** `Custom::MayflyProvision`, behind CDK's provider framework: makes the database ready for leases. */
export const handler = middy<CustomResourceEvent, CustomResourceResult>()
  .use(convertErrors(logger))
  .handler(async (event) => {
    await composeProvisioner(process.env, logger)(event);
    return { PhysicalResourceId: "mayfly-provision" };
  });
