import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@aws-lambda-powertools/logger";
import { RDSClient } from "@aws-sdk/client-rds";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { type RotationReport, rotate } from "../../core/rotation/rotate.ts";
import { parseRotationRequest } from "../../core/rotation/rotation-request.ts";
import type { RotationSettings } from "../../core/rotation/settings.ts";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import { seconds } from "../../core/time.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { rotationRds } from "../aws/rotation-rds.ts";
import { rotationSecrets } from "../aws/rotation-secrets.ts";
import { tlsOptions } from "../postgres/connection/tls.ts";
import { rotationServers } from "../postgres/rotation/servers.ts";
import { fixedIn, sourceIn } from "./compose-readers.ts";
import { countExhaustion } from "./count-exhaustion.ts";
import { type Environment, required } from "./environment.ts";
import { systemTime as time } from "./system-time.ts";

/** The function that rotates master users has 300 seconds. */
const RDS_PATIENCE = seconds(210);

/** Compose a rotation function from its environment and the `rotation.json` beside its bundle. */
export function composeRotator(
  env: Environment,
  logger: Logger,
): (event: unknown) => Promise<RotationReport> {
  const set = required(env, ["AWS_REGION", "DB_HOST", "DB_PORT", "LAMBDA_TASK_ROOT", "SECRET_ARN"]);
  const settings = JSON.parse(
    readFileSync(join(set.LAMBDA_TASK_ROOT, "rotation.json"), "utf8"),
  ) as RotationSettings;
  countExhaustion(settings.database);
  if (settings.tls === "plaintext")
    logger.warn("connections to the database are not encrypted: the configuration says plaintext");
  const shipped = { region: set.AWS_REGION, folder: set.LAMBDA_TASK_ROOT };
  const deps: RotationDeps = {
    settings,
    secretArn: set.SECRET_ARN,
    ...(env.MASTER_SECRET_ARN && { masterArn: env.MASTER_SECRET_ARN }),
    server: { host: set.DB_HOST, port: Number(set.DB_PORT) },
    secrets: rotationSecrets(new SecretsManagerClient(AWS_BOUNDS)),
    servers: rotationServers((host) => tlsOptions(host, settings, shipped)),
    rds: rotationRds({
      client: new RDSClient(AWS_BOUNDS),
      source: sourceIn(env),
      fixedHosts: fixedIn(env.DB_READERS).map(({ host }) => host),
      patience: RDS_PATIENCE,
      time,
    }),
    random: randomBytes,
    telemetry: { audit: ({ event, ...details }) => logger.info(event, details) },
    time,
  };
  return async (event) => rotate(deps, parseRotationRequest(event));
}
