import { randomUUID } from "node:crypto";
import {
  BatchGetSecretValueCommand,
  DescribeSecretCommand,
  type Filter,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Runner, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf } from "./clients.ts";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

let app: SynthesizedApp;
let runner: Runner;
let secrets: Clients["secrets"];
let SecretId: string;

beforeAll(async () => {
  app = synthesize();
  runner = await startRunner({ assembly: app.assembly });
  ({ secrets } = clientsOf(runner, "administrator"));
  SecretId = runner.outputs.SecretArn ?? "";
});

afterAll(async () => {
  await runner.stop();
  app.remove();
});

const get = (which: Omit<GetSecretValueCommandInput, "SecretId"> = {}) =>
  secrets.send(new GetSecretValueCommand({ SecretId, ...which }));
const put = (
  SecretString: string,
  more: { ClientRequestToken?: string; VersionStages?: string[] } = {},
) => secrets.send(new PutSecretValueCommand({ SecretId, SecretString, ...more }));

test("a generated secret follows its template", async () => {
  const { SecretString, ARN, CreatedDate, VersionStages } = await get();
  expect(JSON.parse(SecretString ?? "")).toEqual({
    pepper: expect.stringMatching(/^[A-Za-z0-9]{64}$/),
  });
  expect(ARN).toBe(SecretId);
  expect(VersionStages).toEqual(["AWSCURRENT"]);
  expect(CreatedDate?.getTime()).toBeGreaterThan(Date.now() - 60_000);
});

test("a secret is found by ARN, by ARN without its random end, and by name", async () => {
  const { ARN, Name } = await get();
  for (const id of [SecretId.slice(0, -7), Name])
    expect((await secrets.send(new GetSecretValueCommand({ SecretId: id }))).ARN).toBe(ARN);
});

test("a new value becomes current, and the old one previous", async () => {
  const first = await put("one");
  const second = await put("two");
  expect(await get()).toMatchObject({ SecretString: "two", VersionStages: ["AWSCURRENT"] });
  expect(await get({ VersionStage: "AWSPREVIOUS" })).toMatchObject({ SecretString: "one" });
  expect(await get({ VersionId: first.VersionId })).toMatchObject({ SecretString: "one" });
  const { VersionIdsToStages } = await secrets.send(new DescribeSecretCommand({ SecretId }));
  expect(VersionIdsToStages).toEqual({
    [String(first.VersionId)]: ["AWSPREVIOUS"],
    [String(second.VersionId)]: ["AWSCURRENT"],
  });
});

test("a value with another label leaves the current one alone", async () => {
  await put("three");
  const pending = await put("four", { VersionStages: ["AWSPENDING"] });
  expect((await get()).SecretString).toBe("three");
  expect(await get({ VersionStage: "AWSPENDING", VersionId: pending.VersionId })).toMatchObject({
    SecretString: "four",
  });
  await put("five", { VersionStages: ["AWSPENDING"] });
  expect((await get({ VersionStage: "AWSPENDING" })).SecretString).toBe("five");
});

test("the same token with the same value changes nothing, with another it is refused", async () => {
  const ClientRequestToken = randomUUID();
  await put("six", { ClientRequestToken });
  await put("seven");
  expect((await put("six", { ClientRequestToken })).VersionId).toBe(ClientRequestToken);
  expect((await get()).SecretString).toBe("seven");
  await expect(put("eight", { ClientRequestToken })).rejects.toMatchObject({
    name: "ResourceExistsException",
  });
});

const UNKNOWN = randomUUID();

test.each([
  [{ VersionId: UNKNOWN }, UNKNOWN],
  [{ VersionStage: "NOPE" }, "NOPE"],
])("no version %j", async (which, value) => {
  await expect(get(which)).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: expect.stringContaining(`: ${value}`),
  });
});

test("a version and a label that do not belong together are refused", async () => {
  const { VersionId } = await put("nine");
  await expect(get({ VersionId, VersionStage: "AWSPREVIOUS" })).rejects.toMatchObject({
    name: "InvalidRequestException",
  });
});

test("an unknown secret is not found", async () => {
  const ask = new GetSecretValueCommand({ SecretId: "nothing" });
  await expect(secrets.send(ask)).rejects.toMatchObject({
    name: "ResourceNotFoundException",
    message: "Secrets Manager can't find the specified secret.",
  });
});

test("random passwords have the kinds and length that were asked for", async () => {
  const ask = new GetRandomPasswordCommand({
    PasswordLength: 40,
    ExcludePunctuation: true,
    ExcludeCharacters: "abc",
  });
  const { RandomPassword = "" } = await secrets.send(ask);
  expect(RandomPassword).toMatch(/^[d-zA-Z0-9]{40}$/);
  for (const kind of [/[a-z]/, /[A-Z]/, /\d/]) expect(RandomPassword).toMatch(kind);
  const impossible = new GetRandomPasswordCommand({ PasswordLength: 2 });
  await expect(secrets.send(impossible)).rejects.toMatchObject({
    name: "InvalidParameterException",
  });
});

const ID = expect.any(String) as string;

test.each([
  [{ SecretString: "x".repeat(65_537) }, "ValidationException", "Value at 'secretString'"],
  [{ SecretString: "é".repeat(32_769) }, "ValidationException", "Value at 'secretString'"],
  [{ SecretString: "" }, "ValidationException", "at 'secretString'"],
  [{}, "InvalidRequestException", "You must provide SecretString."],
  [{ SecretString: "v", VersionStages: [] }, "ValidationException", "'versionStages'"],
  [
    { SecretString: "v", VersionStages: [""] },
    "ValidationException",
    "Value '' at 'versionStages.1.member' failed",
  ],
  [
    { SecretString: "v", VersionStages: Array.from({ length: 21 }, (_, each) => `L${each}`) },
    "ValidationException",
    "'versionStages'",
  ],
  [
    { SecretString: "v", ClientRequestToken: "too-short" },
    "InvalidParameterException",
    "ClientRequestToken must be 32-64 characters long.",
  ],
])("a new value outside the limits is refused, %#", async (input, name, message) => {
  await expect(
    secrets.send(new PutSecretValueCommand({ SecretId, ...input })),
  ).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
});

test("a value of 65,536 bytes is taken", async () => {
  await put("x".repeat(65_536), { VersionStages: ["LONG"] });
  expect((await get({ VersionStage: "LONG" })).SecretString).toHaveLength(65_536);
});

test("labels are moved, and versions listed with theirs, page by page", async () => {
  const { VersionId: old } = await put("ten");
  const { VersionId } = await put("eleven", { VersionStages: ["NEXT"] });
  await secrets.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: "AWSCURRENT",
      MoveToVersionId: VersionId,
      RemoveFromVersionId: old,
    }),
  );
  expect((await get()).SecretString).toBe("eleven");
  const ask = { SecretId, IncludeDeprecated: false };
  const list = (more = {}) => secrets.send(new ListSecretVersionIdsCommand({ ...ask, ...more }));
  const { Versions = [], Name, NextToken } = await list();
  expect([Name, NextToken]).toEqual([(await get()).Name, undefined]);
  expect(Versions).toContainEqual({
    VersionId,
    VersionStages: ["NEXT", "AWSCURRENT"],
    CreatedDate: expect.any(Date),
  });
  expect(Versions.every(({ VersionStages = [] }) => VersionStages.length > 0)).toBe(true);
  const all = (await list({ IncludeDeprecated: true })).Versions ?? [];
  expect(all.length).toBeGreaterThan(Versions.length);
  const first = await list({ MaxResults: 2 });
  const rest = await list({ NextToken: first.NextToken });
  expect([...(first.Versions ?? []), ...(rest.Versions ?? [])]).toEqual(Versions);
  await expect(list({ NextToken: "nonsense" })).rejects.toMatchObject({
    name: "InvalidNextTokenException",
  });
});

test.each<[Filter[], number]>([
  [[], 1],
  [[{ Key: "name", Values: ["Small"] }], 1],
  [[{ Key: "name", Values: ["small"] }], 0],
  [[{ Key: "name", Values: ["small", "!Large"] }], 1],
  [[{ Key: "all", Values: ["SECRET"] }], 1],
  [[{ Key: "tag-key", Values: ["team"] }], 0],
  [[{ Key: "description", Values: ["any"] }], 0],
])("secrets are listed and read by filters %j", async (Filters, count) => {
  const { SecretList = [] } = await secrets.send(new ListSecretsCommand({ Filters }));
  const shown = { ARN: SecretId, SecretVersionsToStages: {} };
  expect(SecretList).toMatchObject(Array(count).fill(shown));
  const { SecretValues, Errors } = await secrets.send(new BatchGetSecretValueCommand({ Filters }));
  expect([SecretValues, Errors]).toMatchObject([Array(count).fill({ ARN: SecretId }), []]);
});

test("secrets are sorted by what the runner knows of them", async () => {
  const list = (SortBy: "name" | "last-accessed-date") =>
    secrets.send(new ListSecretsCommand({ SortBy, SortOrder: "desc" }));
  expect((await list("name")).SecretList).toHaveLength(1);
  await expect(list("last-accessed-date")).rejects.toThrow("by created-date and name");
});

test("a batch has the values that are there, and an error for each that is not", async () => {
  const batch = (SecretIdList?: string[]) =>
    secrets.send(new BatchGetSecretValueCommand({ SecretIdList }));
  const { SecretValues, Errors } = await batch([SecretId, "nothing"]);
  expect(SecretValues).toMatchObject([{ ARN: SecretId, VersionId: ID, SecretString: ID }]);
  expect(Errors).toEqual([
    {
      SecretId: "nothing",
      ErrorCode: "ResourceNotFoundException",
      Message: expect.any(String),
    },
  ]);
  await expect(batch()).rejects.toMatchObject({ name: "InvalidParameterException" });
});

test("each operation asks the policies for itself", async () => {
  const alice = clientsOf(runner, "AliceD4D33764").secrets;
  const commands = [
    new ListSecretsCommand({}),
    new BatchGetSecretValueCommand({ SecretIdList: [SecretId] }),
    new ListSecretVersionIdsCommand({ SecretId }),
    new UpdateSecretVersionStageCommand({ SecretId, VersionStage: "ANY" }),
  ];
  for (const command of commands) {
    const action = command.constructor.name.replace("Command", "");
    await expect(alice.send(command as never)).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(` secretsmanager:${action} `),
    });
  }
});
