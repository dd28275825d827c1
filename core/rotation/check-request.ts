import { namesSecret } from "../aws/secret-id.ts";
import { ConfigError, InvalidRequestError, NotAllowedError } from "../errors.ts";
import type { SecretDescription } from "./rotation-ports.ts";
import type { RotationRequest } from "./rotation-request.ts";

export const [AWSPENDING, AWSCURRENT, AWSPREVIOUS] = [
  "AWSPENDING",
  "AWSCURRENT",
  "AWSPREVIOUS",
] as const;

/**
 * Refuse any secret but the one that the function was deployed for, before it is touched: who may
 * call the function, or let Secrets Manager call it, must not choose another.
 *
 * @throws NotAllowedError for another secret.
 */
export function refuseOtherSecrets(id: string, arn: string): void {
  if (namesSecret(id, arn)) return;
  throw new NotAllowedError(
    `secret ${id} is not the one that this function rotates, ${arn}; give it a rotation function of its own`,
  );
}

/**
 * What Secrets Manager's contract asks of every step before it does anything: `done` when the version
 * is `AWSCURRENT` already.
 *
 * @throws ConfigError when the secret is not to be rotated; InvalidRequestError for a version that is
 *   not the pending one.
 */
export function checkRequest(
  secret: SecretDescription,
  { token }: RotationRequest,
): "run" | "done" {
  const { arn, versions } = secret;
  if (secret.owningService !== undefined)
    throw new ConfigError(
      `secret ${arn} is managed and rotated by ${secret.owningService}, which gives its password to nobody else to change; take the function off it`,
    );
  if (secret.rotationEnabled === false)
    throw new ConfigError(
      `secret ${arn} is not enabled for rotation; enable it: aws secretsmanager rotate-secret`,
    );
  const stages = versions.get(token);
  if (stages === undefined)
    throw new InvalidRequestError(
      `secret ${arn} has no version ${token} to rotate; let Secrets Manager start the rotation: aws secretsmanager rotate-secret`,
    );
  if (stages.includes(AWSCURRENT)) return "done";
  if (stages.includes(AWSPENDING)) return "run";
  throw new InvalidRequestError(
    `version ${token} of secret ${arn} is not ${AWSPENDING} but ${stages.join(", ") || "without a label"}; start the rotation anew: aws secretsmanager rotate-secret`,
  );
}
