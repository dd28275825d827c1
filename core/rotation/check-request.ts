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
 * Refuse every secret except the one that the function was deployed for, before touching it: a
 * caller of the function must not choose the secret.
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
 * The checks that Secrets Manager's contract requires before every step. `done` if the version is
 * already `AWSCURRENT`.
 *
 * @throws ConfigError if the secret must not be rotated; InvalidRequestError if the version is not
 *   the pending one.
 */
export function checkRequest(
  secret: SecretDescription,
  { token }: RotationRequest,
): "run" | "done" {
  const { arn, versions } = secret;
  if (secret.owningService !== undefined)
    throw new ConfigError(
      `secret ${arn} is managed and rotated by ${secret.owningService}; remove the rotation function from it`,
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
