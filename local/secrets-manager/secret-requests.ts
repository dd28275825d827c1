import type {
  PutSecretValueRequest,
  UpdateSecretVersionStageRequest,
} from "@aws-sdk/client-secrets-manager";
import { AwsError, validationError } from "../http/aws-error.ts";

/** Bytes of a value. */
const LONGEST_VALUE = 65_536;
const MOST_LABELS = 20;
const LONGEST_LABEL = 256;

/** @throws AwsError for a token that cannot be a version's id. */
export function assertToken(token: string | undefined): void {
  if (token === undefined || (token.length >= 32 && token.length <= 64)) return;
  throw new AwsError(
    "InvalidParameterException",
    "ClientRequestToken must be 32-64 characters long.",
  );
}

/**
 * The value that PutSecretValue is given.
 *
 * @throws AwsError for a request that Secrets Manager's model does not allow.
 */
export function valueIn(input: PutSecretValueRequest): string {
  const { ClientRequestToken, SecretString: value, VersionStages: labels } = input;
  assertToken(ClientRequestToken);
  if (value === undefined)
    throw new AwsError("InvalidRequestException", "You must provide SecretString.");
  if (value === "") throw constraint("secretString", "have length greater than or equal to 1");
  if (Buffer.byteLength(value) > LONGEST_VALUE)
    throw constraint("secretString", `have length less than or equal to ${LONGEST_VALUE}`);
  if (labels?.length === 0)
    throw constraint("versionStages", "have length greater than or equal to 1");
  if (labels !== undefined && labels.length > MOST_LABELS)
    throw constraint("versionStages", `have length less than or equal to ${MOST_LABELS}`);
  for (const label of labels ?? []) assertLabel(label, "versionStages");
  return value;
}

/** @throws AwsError for a label that is empty or too long. */
export const assertStage = ({ VersionStage }: UpdateSecretVersionStageRequest): void =>
  assertLabel(VersionStage ?? "", "versionStage");

function assertLabel(label: string, member: string): void {
  if (label.length < 1) throw constraint(member, "have length greater than or equal to 1");
  if (label.length > LONGEST_LABEL)
    throw constraint(member, `have length less than or equal to ${LONGEST_LABEL}`);
}

/** Of what may be secret, AWS does not repeat the value. */
const constraint = (member: string, what: string): AwsError =>
  validationError(
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must ${what}`,
  );
