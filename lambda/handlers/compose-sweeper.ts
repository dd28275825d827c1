import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { SweepOptions } from "../../core/leases/operation/sweep.ts";
import { measureSecretAges } from "../../core/rotation/secret-ages.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { rotatedAt } from "../aws/secret-ages.ts";
import { type Composition, compose } from "./compose.ts";
import { type Environment, rotatedSecretsIn } from "./environment.ts";
import { systemTime as time } from "./system-time.ts";

/** Like {@link compose}, with the ages of the rotated secrets, if there are any. */
export function composeSweeper(
  env: Environment,
): Composition & Pick<SweepOptions, "secretsOverdue"> {
  const composition = compose(env);
  const { deployment, logger, telemetry } = composition;
  const { rotatedSecrets = {} } = deployment;
  if (Object.keys(rotatedSecrets).length === 0) return composition;
  const ages = {
    rotatedSecrets,
    arns: rotatedSecretsIn(env),
    rotatedAt: rotatedAt(new SecretsManagerClient(AWS_BOUNDS)),
    telemetry,
    time,
    warn: (message: string, facts: Readonly<Record<string, unknown>>) =>
      logger.warn(message, { ...facts }),
  };
  return { ...composition, secretsOverdue: () => measureSecretAges(ages) };
}
