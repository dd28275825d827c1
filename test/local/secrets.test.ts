import { randomUUID } from "node:crypto";
import {
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  PutSecretValueCommand,
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

test.each([
  [
    { VersionId: randomUUID() },
    "ResourceNotFoundException",
    /can't find the specified secret value for VersionId: /,
  ],
  [{ VersionStage: "NOPE" }, "ResourceNotFoundException", /for staging label: NOPE$/],
])("no version %j", async (which, name, message) => {
  await expect(get(which)).rejects.toMatchObject({ name, message: expect.stringMatching(message) });
});

test("a version and a label that do not belong together are refused", async () => {
  const { VersionId } = await put("nine");
  await expect(get({ VersionId, VersionStage: "AWSPREVIOUS" })).rejects.toMatchObject({
    name: "InvalidRequestException",
  });
});

test("an unknown secret", async () => {
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
