import { Logger } from "@aws-lambda-powertools/logger";
import { composeSeeder } from "./compose-seeder.ts";
import { type CustomResourceResult, parseCustomResource } from "./custom-resource.ts";
import { serve } from "./serve.ts";

const logger = new Logger();

/** `Custom::MayflySandboxSeed`, behind CDK's provider framework: gives the sandbox a table. */
export const handler = serve<unknown, CustomResourceResult>({ logger }).handler(async (event) => {
  const { RequestType, ResourceProperties } = parseCustomResource(event);
  if (RequestType === "Delete") logger.info("deleted: the database keeps its table");
  else await composeSeeder(process.env)(ResourceProperties);
  return { PhysicalResourceId: "mayfly-sandbox-seed" };
});
