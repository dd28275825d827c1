import { inspect } from "node:util";
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  SecretsManagerServiceException,
} from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { expect, onTestFinished, test } from "vitest";
import { Secret } from "../../../core/secret.ts";
import { secretsManager } from "../../../lambda/aws/secrets.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:one-AbCdEf";

/** A store over a client that answers every read like this, and keeps what was put. */
function storeOver(answer: { SecretString?: string } | Error) {
  const client = mockClient(SecretsManagerClient);
  onTestFinished(() => client.restore());
  const read = client.on(GetSecretValueCommand);
  if (answer instanceof Error) read.rejects(answer);
  else read.resolves({ ...answer, VersionId: "version-one" });
  const write = client.on(PutSecretValueCommand);
  if (answer instanceof Error) write.rejects(answer);
  else write.resolves({});
  return { client, store: secretsManager(new SecretsManagerClient({ region: "eu-central-1" })) };
}

const fault = (name: string): Error =>
  new SecretsManagerServiceException({
    name,
    $fault: "client",
    $metadata: {},
    message: "quotes the-password",
  });

test("a secret's password and pepper are wrapped in Secret, other values are not", async () => {
  const { store, client } = storeOver({
    SecretString: '{"username":"u","password":"p","pepper":"q","port":5432,"more":[1]}',
  });
  const version = await store.getSecret(ARN, { stage: "AWSPREVIOUS" });
  expect(version).toMatchObject({
    versionId: "version-one",
    value: { username: "u", port: 5432, more: [1] },
  });
  expect(version?.value.password?.reveal()).toBe("p");
  expect(version?.value.pepper?.reveal()).toBe("q");
  expect(inspect(version, { depth: 9 })).not.toContain("'p'");
  expect(client.commandCalls(GetSecretValueCommand)[0]?.args[0].input).toEqual({
    SecretId: ARN,
    VersionStage: "AWSPREVIOUS",
    VersionId: undefined,
  });
});

test("a version that is not there is undefined", async () => {
  const missing = new ResourceNotFoundException({ message: "none", $metadata: {} });
  expect(await storeOver(missing).store.getSecret(ARN)).toBeUndefined();
});

test.each([undefined, "", "the-password", "[1]", "null", '"the-password"'])(
  "a value that is no JSON object is refused, and not quoted (%j)",
  async (SecretString) => {
    const { store } = storeOver({ SecretString });
    const error: unknown = await store.getSecret(ARN).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "ConfigError" });
    expect(inspect(error, { depth: 9 })).not.toContain("the-password");
  },
);

test.each([
  ["AccessDeniedException", "AwsRefusedError", false],
  ["DecryptionFailure", "AwsRefusedError", false],
  ["ThrottlingException", "SecretsManagerUnavailableError", true],
  ["InternalServiceError", "SecretsManagerUnavailableError", true],
  ["TimeoutError", "SecretsManagerUnavailableError", true],
])("%s is a %s", async (name, expected, retryable) => {
  const { store } = storeOver(fault(name));
  const read: unknown = await store.getSecret(ARN).catch((thrown: unknown) => thrown);
  const put: unknown = await store
    .putSecret(ARN, { password: new Secret("the-password") }, { clientRequestToken: "t" })
    .catch((thrown: unknown) => thrown);
  for (const error of [read, put]) {
    expect(error).toMatchObject({ name: expected, retryable });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("the-password");
  }
});

test("a value is put with its secrets in clear, under the token that names the version", async () => {
  const { store, client } = storeOver({});
  await store.putSecret(
    ARN,
    { username: "u", password: new Secret("p"), port: 5432 },
    { clientRequestToken: "the-token" },
  );
  expect(client.commandCalls(PutSecretValueCommand)[0]?.args[0].input).toEqual({
    SecretId: ARN,
    SecretString: '{"username":"u","password":"p","port":5432}',
    ClientRequestToken: "the-token",
  });
});
