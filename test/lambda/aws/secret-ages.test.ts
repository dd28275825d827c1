import {
  DescribeSecretCommand,
  SecretsManagerClient,
  SecretsManagerServiceException,
} from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { expect, onTestFinished, test } from "vitest";
import { rotatedAt } from "../../../lambda/aws/secret-ages.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:one-AbCdEf";
const MADE = new Date("2026-01-01T00:00:00Z");
const ROTATED = new Date("2026-02-01T00:00:00Z");

function over(answer: { LastRotatedDate?: Date; CreatedDate?: Date } | Error) {
  const client = mockClient(SecretsManagerClient);
  onTestFinished(() => client.restore());
  const describe = client.on(DescribeSecretCommand, { SecretId: ARN });
  if (answer instanceof Error) describe.rejects(answer);
  else describe.resolves(answer);
  return rotatedAt(new SecretsManagerClient({ region: "eu-central-1" }));
}

test("a secret is as old as its last rotation, or as itself", async () => {
  expect(await over({ LastRotatedDate: ROTATED, CreatedDate: MADE })(ARN)).toBe(ROTATED.getTime());
  expect(await over({ CreatedDate: MADE })(ARN)).toBe(MADE.getTime());
});

test.each([
  ["AccessDeniedException", "AwsRefusedError"],
  ["ResourceNotFoundException", "AwsRefusedError"],
  ["ThrottlingException", "SecretsManagerUnavailableError"],
])("%s is a %s", async (name, expected) => {
  const fault = new SecretsManagerServiceException({ name, $fault: "client", $metadata: {} });
  await expect(over(fault)(ARN)).rejects.toMatchObject({
    name: expected,
    message: expect.stringContaining(
      `secret ${ARN} could not be described (${name} on secretsmanager:DescribeSecret)`,
    ),
  });
});
