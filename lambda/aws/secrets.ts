import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { ConfigError } from "../../core/errors.ts";
import type { SecretObject, SecretStore } from "../../core/secret-store.ts";
import { parseSecretText, renderSecret } from "../../core/secret-text.ts";
import { fromAwsError } from "./from-aws-error.ts";

/**
 * Secrets Manager as a {@link SecretStore}.
 *
 * @throws AwsRefusedError if access is refused, ConfigError if the value is not a JSON object,
 *   UnavailableError (wait and retry) for throttling, server and network errors. No message
 *   contains any part of a value.
 */
export function secretsManager(client: Pick<SecretsManagerClient, "send">): SecretStore {
  return {
    getSecret: async (arn, { stage, versionId } = {}) => {
      try {
        const reply = await client.send(
          new GetSecretValueCommand({ SecretId: arn, VersionStage: stage, VersionId: versionId }),
        );
        return { value: parseSecret(arn, reply.SecretString), versionId: reply.VersionId ?? "" };
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return undefined;
        throw fromAwsError(
          `secret ${arn} could not be read`,
          "secretsmanager:GetSecretValue",
          error,
        );
      }
    },
    putSecret: async (arn, value, { clientRequestToken }) => {
      try {
        await client.send(
          new PutSecretValueCommand({
            SecretId: arn,
            SecretString: renderSecret(value),
            ClientRequestToken: clientRequestToken,
          }),
        );
      } catch (error) {
        throw fromAwsError(
          `a new version of secret ${arn} could not be put`,
          "secretsmanager:PutSecretValue",
          error,
        );
      }
    },
  };
}

/**
 * Parse a secret's JSON. @throws ConfigError, without any part of the secret, if it is not an
 * object.
 */
export function parseSecret(arn: string, text: string | undefined): SecretObject {
  const value = parseSecretText(text ?? "");
  if (value === undefined)
    throw new ConfigError(
      `secret ${arn} is not a JSON object; store it as Secrets Manager stores database secrets`,
    );
  return value;
}
