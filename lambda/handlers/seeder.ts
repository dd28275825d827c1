import { Logger } from "@aws-lambda-powertools/logger";
import { composeSeeder } from "./compose-seeder.ts";
import type { CustomResourceEvent, CustomResourceResult } from "./custom-resource.ts";
import { serve } from "./serve.ts";

const logger = new Logger();

/** `Custom::MayflySandboxSeed`, behind CDK's provider framework: gives the sandbox a table. */
export const handler = serve<CustomResourceEvent, CustomResourceResult>({ logger }).handler(
  async ({ RequestType, ResourceProperties }) => {
    if (RequestType === "Delete") logger.info("deleted: the database keeps its table");
    else await composeSeeder(process.env)(ResourceProperties);
    return { PhysicalResourceId: "mayfly-sandbox-seed" };
  },
);
