import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import { convertErrors } from "./boundary.ts";
import { composeProvisioner } from "./provisioning/compose.ts";
import type { CustomResourceEvent, CustomResourceResult } from "./provisioning/custom-resource.ts";

const logger = new Logger();

/** `Custom::MayflyProvision`, behind CDK's provider framework: makes the database ready. */
export const handler = middy<CustomResourceEvent, CustomResourceResult>()
  .use(convertErrors(logger))
  .handler(async ({ RequestType, ResourceProperties }) => {
    if (RequestType === "Delete") logger.info("deleted: the database keeps what was provisioned");
    else await composeProvisioner(process.env, logger)(ResourceProperties.Plan);
    return { PhysicalResourceId: "mayfly-provision" };
  });
