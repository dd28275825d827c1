import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import type { RotationSecrets } from "../../core/rotation/rotation-ports.ts";
import { renderSecret } from "../../core/secret-text.ts";
import { callAws, fromAwsError } from "./from-aws-error.ts";
import { parseSecret } from "./secrets.ts";

/**
 * Secrets Manager as {@link RotationSecrets}.
 *
 * @throws AwsRefusedError if access is refused, ConfigError if a value is not a JSON object,
 *   UnavailableError (wait and retry) for throttling, server and network errors. No message
 *   contains any part of a value.
 */
export function rotationSecrets(client: Pick<SecretsManagerClient, "send">): RotationSecrets {
  return {
    describe: async (id) => {
      const reply = await callAws(
        `secret ${id} could not be described`,
        "secretsmanager:DescribeSecret",
        () => client.send(new DescribeSecretCommand({ SecretId: id })),
      );
      const {
        ARN = id,
        RotationEnabled,
        OwningService,
        Tags = [],
        VersionIdsToStages = {},
      } = reply;
      return {
        arn: ARN,
        ...(RotationEnabled !== undefined && { rotationEnabled: RotationEnabled }),
        ...(OwningService !== undefined && { owningService: OwningService }),
        tags: new Map(Tags.map(({ Key = "", Value = "" }) => [Key, Value])),
        versions: new Map(Object.entries(VersionIdsToStages)),
      };
    },
    getSecret: async (id, { stage, versionId }) => {
      try {
        const reply = await client.send(
          new GetSecretValueCommand({ SecretId: id, VersionStage: stage, VersionId: versionId }),
        );
        return { value: parseSecret(id, reply.SecretString), versionId: reply.VersionId ?? "" };
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return undefined;
        throw fromAwsError(
          `secret ${id} could not be read`,
          "secretsmanager:GetSecretValue",
          error,
        );
      }
    },
    putPending: async (id, value, { token, rotationToken }) => {
      const command = new PutSecretValueCommand({
        SecretId: id,
        SecretString: renderSecret(value),
        ClientRequestToken: token,
        VersionStages: ["AWSPENDING"],
        ...(rotationToken !== undefined && { RotationToken: rotationToken.reveal() }),
      });
      await callAws(
        `the pending version of secret ${id} could not be put`,
        "secretsmanager:PutSecretValue",
        () => client.send(command),
      );
    },
    moveLabel: async (id, label, { from, to }) => {
      const command = new UpdateSecretVersionStageCommand({
        SecretId: id,
        VersionStage: label,
        ...(from !== undefined && { RemoveFromVersionId: from }),
        ...(to !== undefined && { MoveToVersionId: to }),
      });
      await callAws(
        `the label ${label} of secret ${id} could not be moved`,
        "secretsmanager:UpdateSecretVersionStage",
        () => client.send(command),
      );
    },
  };
}
