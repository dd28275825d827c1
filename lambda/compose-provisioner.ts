import type { Logger } from "@aws-lambda-powertools/logger";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { ConfigError } from "../core/errors.ts";
import { parseProvisionPlan } from "../core/parse-provision-plan.ts";
import type { ServerPlace } from "./admin-login.ts";
import { secretsManager } from "./aws/secrets.ts";
import { makeProvision } from "./provision.ts";
import { makeSeed, parseSeedRequest } from "./seed.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The provisioner, made from a function's environment. Takes the property `Plan`. */
export function composeProvisioner(env: Environment, logger: Logger) {
  const [adminSecret, issuerSecret, janitorSecret] = required(env, [
    "ADMIN_SECRET_ARN",
    "ISSUER_SECRET_ARN",
    "JANITOR_SECRET_ARN",
  ]);
  const provision = makeProvision({
    secrets: secretsManager(new SecretsManagerClient()),
    adminSecret,
    issuerSecret,
    janitorSecret,
    place: placeIn(env),
    log: (step, facts = {}) => logger.info(step, { ...facts }),
  });
  return (plan: unknown): Promise<void> => provision(parseProvisionPlan(plan));
}

/** The sandbox's seeder, made from a function's environment. Takes the resource's properties. */
export function composeSeeder(env: Environment) {
  const [adminSecret] = required(env, ["ADMIN_SECRET_ARN"]);
  const secrets = secretsManager(new SecretsManagerClient());
  const seed = makeSeed({ secrets, adminSecret, place: placeIn(env) });
  return (properties: unknown): Promise<void> => seed(parseSeedRequest(properties));
}

function placeIn(env: Environment): ServerPlace {
  const [host, port, region, folder] = required(env, [
    "DB_HOST",
    "DB_PORT",
    "AWS_REGION",
    "LAMBDA_TASK_ROOT",
  ]);
  return { host, port: Number(port), region, folder };
}

/** Values of variables that must be set. @throws ConfigError naming all that are not. */
function required<const Names extends readonly string[]>(
  env: Environment,
  names: Names,
): { readonly [K in keyof Names]: string } {
  const unset = names.filter((name) => !env[name]);
  if (unset.length > 0)
    throw new ConfigError(`${unset.join(", ")} must be set; the construct sets them`);
  return names.map((name) => env[name] ?? "") as { [K in keyof Names]: string };
}
