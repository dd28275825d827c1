import { DescribeSecretCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Instant } from "../../core/time.ts";
import { fromAwsError } from "./from-aws-error.ts";

/**
 * When a secret was last rotated; if never, when it was created.
 *
 * @throws AwsRefusedError or UnavailableError, see {@link fromAwsError}.
 */
export const rotatedAt =
  (client: Pick<SecretsManagerClient, "send">) =>
  async (arn: string): Promise<Instant> => {
    try {
      const found = await client.send(new DescribeSecretCommand({ SecretId: arn }));
      const at = found.LastRotatedDate ?? found.CreatedDate;
      if (at === undefined) throw new Error("a secret has one of them");
      return at.getTime() as Instant;
    } catch (error) {
      throw fromAwsError(
        `secret ${arn} could not be described`,
        "secretsmanager:DescribeSecret",
        error,
      );
    }
  };
