import type { PutSecretValueRequest } from "@aws-sdk/client-secrets-manager";
import { AwsError, validationError } from "../http/aws-error.ts";
import { detected } from "../http/check-constraints.ts";

/** Bytes of a value. */
const LONGEST_VALUE = 65_536;
/** @throws AwsError if the token cannot be a version's id. */
export function assertToken(token: string | undefined): void {
  if (token === undefined || (token.length >= 32 && token.length <= 64)) return;
  throw new AwsError(
    "InvalidParameterException",
    "ClientRequestToken must be 32-64 characters long.",
  );
}

/**
 * The value in a request of PutSecretValue.
 *
 * @throws AwsError if Secrets Manager's model does not allow the request.
 */
export function valueIn(input: PutSecretValueRequest): string {
  const { ClientRequestToken, SecretBinary, SecretString: value } = input;
  assertToken(ClientRequestToken);
  if (SecretBinary !== undefined && value !== undefined)
    throw new AwsError(
      "InvalidParameterException",
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (SecretBinary !== undefined)
    throw new AwsError(
      "InvalidParameterException",
      "the local runner has no binary values; send SecretString",
    );
  if (value === undefined)
    throw new AwsError("InvalidRequestException", "You must provide SecretString.");
  if (Buffer.byteLength(value) <= LONGEST_VALUE) return value;
  throw validationError(
    // AWS does not repeat a value that may be secret
    detected([
      `Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to ${LONGEST_VALUE}`,
    ]),
  );
}
