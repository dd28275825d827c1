import { Logger } from "@aws-lambda-powertools/logger";
import type { RotationReport } from "../../core/rotation/rotate.ts";
import { composeRotator } from "./compose-rotator.ts";
import { serve } from "./serve.ts";

const logger = new Logger();
const rotateOne = composeRotator(process.env, logger);

/** Called by Secrets Manager four times for each rotation of the function's secret. */
export const handler = serve<unknown, RotationReport>({ logger }).handler((event) =>
  rotateOne(event),
);
