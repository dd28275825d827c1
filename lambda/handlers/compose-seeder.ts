import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { secretsManager } from "../aws/secrets.ts";
import { makeSeed, parseSeedRequest } from "../postgres/provisioning/seed-sandbox.ts";
import { type Environment, required } from "./environment.ts";
import { serverAddress } from "./server-address.ts";

/**
 * Compose the sandbox's seeder from a function's environment. It takes the resource's properties.
 */
export function composeSeeder(env: Environment) {
  const { ADMIN_SECRET_ARN: adminSecret } = required(env, ["ADMIN_SECRET_ARN"]);
  const secrets = secretsManager(new SecretsManagerClient());
  const seed = makeSeed({ secrets, adminSecret, server: serverAddress(env) });
  return (properties: unknown): Promise<void> => seed(parseSeedRequest(properties));
}
