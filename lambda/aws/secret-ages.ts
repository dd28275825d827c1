import { DescribeSecretCommand, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Instant } from "../../core/time.ts";
import { fromAwsError } from "./from-aws-error.ts";

/**
 * When a secret was rotated last, or made if it never was.
 *
 * @throws AwsRefusedError or UnavailableError, as {@link fromAwsError} tells them apart.
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
