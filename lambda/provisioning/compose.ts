import type { Logger } from "@aws-lambda-powertools/logger";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import { secretsManager } from "../aws/secrets.ts";
import { type Environment, required } from "../environment.ts";
import type { ServerPlace } from "./admin-login.ts";
import { makeProvision } from "./provision.ts";
import { makeSeed, parseSeedRequest } from "./seed.ts";

/** The provisioner, made from a function's environment. Takes the property `Plan`. */
export function composeProvisioner(env: Environment, logger: Logger) {
  const set = required(env, ["ADMIN_SECRET_ARN", "ISSUER_SECRET_ARN", "JANITOR_SECRET_ARN"]);
  const provision = makeProvision({
    secrets: secretsManager(new SecretsManagerClient()),
    adminSecret: set.ADMIN_SECRET_ARN,
    issuerSecret: set.ISSUER_SECRET_ARN,
    janitorSecret: set.JANITOR_SECRET_ARN,
    place: placeIn(env),
    log: (step, facts = {}) => logger.info(step, { ...facts }),
  });
  return (plan: unknown): Promise<void> => provision(parseProvisionPlan(plan));
}

/** The sandbox's seeder, made from a function's environment. Takes the resource's properties. */
export function composeSeeder(env: Environment) {
  const { ADMIN_SECRET_ARN: adminSecret } = required(env, ["ADMIN_SECRET_ARN"]);
  const secrets = secretsManager(new SecretsManagerClient());
  const seed = makeSeed({ secrets, adminSecret, place: placeIn(env) });
  return (properties: unknown): Promise<void> => seed(parseSeedRequest(properties));
}

function placeIn(env: Environment): ServerPlace {
  const set = required(env, ["DB_HOST", "DB_PORT", "AWS_REGION", "LAMBDA_TASK_ROOT"]);
  return {
    host: set.DB_HOST,
    port: Number(set.DB_PORT),
    region: set.AWS_REGION,
    folder: set.LAMBDA_TASK_ROOT,
  };
}
