import { inspect } from "node:util";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  SecretsManagerServiceException,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, onTestFinished, test } from "vitest";
import type { RotationSecrets } from "../../../core/rotation/rotation-ports.ts";
import { Secret } from "../../../core/secret.ts";
import { rotationSecrets } from "../../../lambda/aws/rotation-secrets.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:one-AbCdEf";
const TOKEN = "11111111-1111-4111-8111-111111111111";
const ROTATION_TOKEN = "22222222-2222-4222-8222-222222222222";
const VALUE = { username: "u", password: new Secret("the-password"), port: "5432", more: [1] };

/** Secrets Manager that gives every command the same answer. */
function secretsOver(answer: object | Error) {
  const client = mockClient(SecretsManagerClient);
  onTestFinished(() => client.restore());
  if (answer instanceof Error) client.onAnyCommand().rejects(answer);
  else client.onAnyCommand().resolves(answer);
  return {
    secrets: rotationSecrets(new SecretsManagerClient({ region: "eu-central-1" })),
    /** The name and input of everything that was sent; keys without a value are never sent. */
    sent: () =>
      client.calls().map(({ args: [command] }) => ({
        command: command.constructor,
        input: JSON.parse(JSON.stringify(command.input)) as unknown,
      })),
  };
}

const COMMANDS: readonly [string, (secrets: RotationSecrets) => Promise<unknown>][] = [
  ["describe", (secrets) => secrets.describe(ARN)],
  ["getSecret", (secrets) => secrets.getSecret(ARN, { versionId: TOKEN, stage: "AWSPENDING" })],
  [
    "putPending",
    (secrets) =>
      secrets.putPending(ARN, VALUE, { token: TOKEN, rotationToken: new Secret(ROTATION_TOKEN) }),
  ],
  ["moveLabel", (secrets) => secrets.moveLabel(ARN, "AWSCURRENT", { from: "old", to: TOKEN })],
];

describe("a description", () => {
  test("has the fields that the checks need, and no others", async () => {
    const { secrets, sent } = secretsOver({ ARN, VersionIdsToStages: { [TOKEN]: ["AWSPENDING"] } });
    expect(await secrets.describe("one")).toEqual({
      arn: ARN,
      tags: new Map(),
      versions: new Map([[TOKEN, ["AWSPENDING"]]]),
    });
    expect(sent()).toEqual([{ command: DescribeSecretCommand, input: { SecretId: "one" } }]);
  });

  test.each([true, false])("says whether rotation is enabled (%s), and who owns it", async (is) => {
    const { secrets } = secretsOver({
      ARN,
      RotationEnabled: is,
      OwningService: "rds",
      Tags: [{ Key: "aws:rds:primaryDBInstanceArn", Value: "arn:aws:rds:…" }, { Key: "empty" }],
    });
    expect(await secrets.describe(ARN)).toEqual({
      arn: ARN,
      rotationEnabled: is,
      owningService: "rds",
      tags: new Map([
        ["aws:rds:primaryDBInstanceArn", "arn:aws:rds:…"],
        ["empty", ""],
      ]),
      versions: new Map(),
    });
  });

  test("without an ARN in the answer has the id of the request", async () => {
    expect(await secretsOver({}).secrets.describe("one")).toMatchObject({ arn: "one" });
  });
});

describe("a version", () => {
  test.each([
    [{ stage: "AWSCURRENT" }, { VersionStage: "AWSCURRENT" }],
    [
      { versionId: TOKEN, stage: "AWSPENDING" },
      { VersionId: TOKEN, VersionStage: "AWSPENDING" },
    ],
  ])("is asked for by all that is told of it: %j", async (version, input) => {
    const { secrets, sent } = secretsOver({
      SecretString: '{"username":"u","password":"the-password"}',
      VersionId: TOKEN,
    });
    const found = await secrets.getSecret(ARN, version);
    expect(found).toMatchObject({ versionId: TOKEN, value: { username: "u" } });
    expect(found?.value.password?.reveal()).toBe("the-password");
    expect(inspect(found, { depth: 9 })).not.toContain("the-password");
    expect(sent()).toEqual([
      { command: GetSecretValueCommand, input: { SecretId: ARN, ...input } },
    ]);
  });

  test("that is not there, or has no value yet, is undefined", async () => {
    const none = new ResourceNotFoundException({ message: "none", $metadata: {} });
    const { secrets } = secretsOver(none);
    expect(await secrets.getSecret(ARN, { stage: "AWSPREVIOUS" })).toBeUndefined();
  });

  test.each([undefined, "", "the-password", '["the-password"]', '{"the-password'])(
    "that is no JSON object is refused, and not quoted (%j)",
    async (SecretString) => {
      const { secrets } = secretsOver({ SecretString });
      const error: unknown = await secrets
        .getSecret(ARN, { stage: "AWSCURRENT" })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        name: "ConfigError",
        message: `secret ${ARN} is not a JSON object; store it as Secrets Manager stores database secrets`,
      });
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("the-password");
    },
  );
});

describe("the pending version", () => {
  const input = {
    SecretId: ARN,
    SecretString: '{"username":"u","password":"the-password","port":"5432","more":[1]}',
    ClientRequestToken: TOKEN,
    VersionStages: ["AWSPENDING"],
  };

  test("is put under the request's token, as AWSPENDING alone", async () => {
    const { secrets, sent } = secretsOver({});
    await secrets.putPending(ARN, VALUE, { token: TOKEN });
    expect(sent()).toEqual([{ command: PutSecretValueCommand, input }]);
  });

  test("is put with the proof of who asked for the rotation, if there is one", async () => {
    const { secrets, sent } = secretsOver({});
    const rotationToken = new Secret(ROTATION_TOKEN);
    await secrets.putPending(ARN, VALUE, { token: TOKEN, rotationToken });
    expect(sent()).toEqual([
      { command: PutSecretValueCommand, input: { ...input, RotationToken: ROTATION_TOKEN } },
    ]);
  });
});

test.each([
  [
    { from: "old", to: TOKEN },
    { RemoveFromVersionId: "old", MoveToVersionId: TOKEN },
  ],
  [{ to: TOKEN }, { MoveToVersionId: TOKEN }],
  [{ from: TOKEN }, { RemoveFromVersionId: TOKEN }],
])("a label is moved %j", async (move, input) => {
  const { secrets, sent } = secretsOver({});
  await secrets.moveLabel(ARN, "AWSCURRENT", move);
  expect(sent()).toEqual([
    {
      command: UpdateSecretVersionStageCommand,
      input: { SecretId: ARN, VersionStage: "AWSCURRENT", ...input },
    },
  ]);
});

test("the proof of who asked goes with the new value, and with nothing else", async () => {
  const { secrets, sent } = secretsOver({ SecretString: "{}" });
  for (const [, command] of COMMANDS) await command(secrets);
  const withProof = sent().filter(({ input }) => JSON.stringify(input).includes(ROTATION_TOKEN));
  expect(withProof.map(({ command }) => command)).toEqual([PutSecretValueCommand]);
});

describe.each(COMMANDS)("%s", (_, command) => {
  test.each([
    ["AccessDeniedException", "AwsRefusedError", false],
    ["DecryptionFailure", "AwsRefusedError", false],
    ["EncryptionFailure", "AwsRefusedError", false],
    ["InvalidParameterException", "AwsRefusedError", false],
    ["InvalidRequestException", "AwsRefusedError", false],
    ["LimitExceededException", "AwsRefusedError", false],
    ["ResourceExistsException", "AwsRefusedError", false],
    ["ThrottlingException", "SecretsManagerUnavailableError", true],
    ["InternalServiceError", "SecretsManagerUnavailableError", true],
    ["TimeoutError", "SecretsManagerUnavailableError", true],
  ])("that meets %s is a %s, and quotes nothing", async (fault, type, retryable) => {
    const { secrets } = secretsOver(
      new SecretsManagerServiceException({
        name: fault,
        $fault: "client",
        $metadata: {},
        message: `quotes the-password and ${ROTATION_TOKEN}`,
      }),
    );
    const error: unknown = await command(secrets).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: type,
      retryable,
      message: expect.stringMatching(
        new RegExp(`secret ${ARN} could not be .*\\(${fault} on secretsmanager:\\w+\\); `),
      ),
    });
    const printed = inspect(error, { depth: 9, showHidden: true });
    expect(printed).not.toMatch(new RegExp(`the-password|${ROTATION_TOKEN}`));
  });
});

test.each(COMMANDS.filter(([name]) => name !== "getSecret"))(
  "%s of a secret that is not there is an AwsRefusedError",
  async (_, command) => {
    const none = new ResourceNotFoundException({ message: "none", $metadata: {} });
    await expect(command(secretsOver(none).secrets)).rejects.toMatchObject({
      name: "AwsRefusedError",
    });
  },
);
