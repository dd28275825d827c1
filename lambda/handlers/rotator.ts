import { Logger } from "@aws-lambda-powertools/logger";
import middy from "@middy/core";
import type { RotationReport } from "../../core/rotation/rotate.ts";
import { convertErrors } from "./boundary.ts";
import { composeRotator } from "./compose-rotator.ts";

const logger = new Logger();
const rotateOne = composeRotator(process.env, logger);

/** Called by Secrets Manager four times for each rotation of the function's secret. */
export const handler = middy<unknown, RotationReport>()
  .use({ before: ({ context }) => logger.addContext(context) })
  .use(convertErrors(logger))
  .handler((event) => rotateOne(event));
