import { InvalidRequestError } from "../errors.ts";
import { shown } from "../leases/lease-id.ts";
import { fieldsOf } from "../leases/requests/lease-request.ts";
import { Secret } from "../secret.ts";

/** The four steps, in the order in which Secrets Manager asks for them. */
export const ROTATION_STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"] as const;

export type RotationStep = (typeof ROTATION_STEPS)[number];

/** The event with which Secrets Manager calls a rotation function. */
export interface RotationRequest {
  readonly step: RotationStep;
  /** ARN of the secret; emulators send its name. */
  readonly secretId: string;
  /** Id of the version that is to become `AWSCURRENT`: 32 to 64 characters. */
  readonly token: string;
  /** Proof of who requested the rotation; sent with the new version. */
  readonly rotationToken?: Secret;
}

const isStep = (value: unknown): value is RotationStep =>
  ROTATION_STEPS.some((step) => step === value);

const isText = (value: unknown, pattern: RegExp): value is string =>
  typeof value === "string" && pattern.test(value);

/**
 * Parse the event of a rotation (Secrets Manager user guide, "Lambda rotation functions"). Other
 * fields are ignored: AWS has added fields before.
 *
 * @throws InvalidRequestError with the field, its value and the allowed values.
 */
export function parseRotationRequest(event: unknown): RotationRequest {
  const { Step, SecretId, ClientRequestToken, RotationToken } = fieldsOf(event);
  if (!isText(SecretId, /^[\w/+=.@:!-]{1,2048}$/))
    throw new InvalidRequestError(
      `SecretId ${shown(SecretId)} is not the ARN of a secret; let Secrets Manager call the function: aws secretsmanager rotate-secret`,
    );
  if (!isStep(Step))
    throw new InvalidRequestError(
      `secret ${SecretId}: Step ${shown(Step)} is not one of ${ROTATION_STEPS.join(", ")}`,
    );
  if (!isText(ClientRequestToken, /^[\w-]{32,64}$/))
    throw new InvalidRequestError(
      `secret ${SecretId}: ClientRequestToken ${shown(ClientRequestToken)} is not the id of a version, 32 to 64 characters`,
    );
  if (RotationToken !== undefined && !isText(RotationToken, /^[A-Za-z0-9-]{36,256}$/))
    throw new InvalidRequestError(
      `secret ${SecretId}: RotationToken is not 36 to 256 letters, digits and hyphens`,
    );
  return {
    step: Step,
    secretId: SecretId,
    token: ClientRequestToken,
    ...(RotationToken !== undefined && { rotationToken: new Secret(RotationToken) }),
  };
}
