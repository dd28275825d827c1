import {
  BatchGetSecretValueCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { KeeperError } from "../../../../client/keeper/errors.ts";
import { hours, type Instant, milliseconds, minutes } from "../../../../core/time.ts";
import {
  loginOf,
  PASSWORD,
  PORT_TOKEN,
  ROTATED_TEXT,
  type ServedSecrets,
  servedSecrets,
} from "../../../support/secrets-port.ts";

let served: ServedSecrets;
let client: SecretsManagerClient;
beforeAll(async () => {
  served = await servedSecrets();
  client = clientOf(served, PORT_TOKEN);
});
afterAll(async () => {
  client.destroy();
  await served[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

/** As a program has it: the endpoint, Region and keys are in its environment. */
function clientOf({ port }: ServedSecrets, path: string): SecretsManagerClient {
  vi.stubEnv("AWS_ENDPOINT_URL_SECRETS_MANAGER", `http://127.0.0.1:${port.port}/${path}`);
  vi.stubEnv("AWS_REGION", "eu-west-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "none");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "none");
  return new SecretsManagerClient({ maxAttempts: 1 });
}

const readValue = (SecretId: string, version: { VersionId?: string; VersionStage?: string } = {}) =>
  client.send(new GetSecretValueCommand({ SecretId, ...version }));
const failure = (sent: Promise<unknown>) =>
  sent.then(
    () => {
      throw new Error("it was answered");
    },
    ({ name, message, $metadata }: { name: string; message: string; $metadata: object }) => ({
      name,
      message,
      ...$metadata,
    }),
  );

test("a lease is read by its name, or any ARN with it, as AWS's secret of a database", async () => {
  for (const id of [
    "orders-db",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-db-AbCdEf",
  ]) {
    const value = await readValue(id);
    expect(value.ARN).toMatch(/^arn:aws:secretsmanager:eu-west-1:0{12}:secret:orders-db-\w{6}$/);
    expect(value.Name).toBe("orders-db");
    expect(value.VersionStages).toEqual(["AWSCURRENT"]);
    expect(value.VersionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(Math.abs(Number(value.CreatedDate) - Date.now())).toBeLessThan(120_000);
    expect(JSON.parse(value.SecretString ?? "")).toEqual({
      engine: "postgres",
      host: "db.example",
      port: 5432,
      dbname: "orders",
      username: "mf_1",
      password: `${PASSWORD}1`,
    });
  }
  expect(served.events.at(-1)).toEqual({
    kind: "secret-read",
    operation: "GetSecretValue",
    name: "orders/readonly",
  });
});

test("a rotated secret is passed on as it is, with its own version", async () => {
  const value = await readValue("reports", { VersionStage: "AWSCURRENT" });
  expect(value.SecretString).toBe(ROTATED_TEXT);
  expect(value.VersionId).toBe("v7-0123456789-0123456789-01234567");
});

test("versions change with the lease: the one before stays while it is valid", async () => {
  const { VersionId: first = "" } = await readValue("orders-db");
  served.orders.next(loginOf(2), (Date.now() + minutes(60)) as Instant);
  const { VersionId: second = "", VersionStages } = await readValue("orders-db");
  expect(second).not.toBe(first);
  expect(VersionStages).toEqual(["AWSCURRENT"]);
  const before = await readValue("orders-db", { VersionStage: "AWSPREVIOUS" });
  expect([before.VersionId, before.VersionStages]).toEqual([first, ["AWSPREVIOUS"]]);
  expect(before.SecretString).toContain("mf_1");
  expect((await readValue("orders-db", { VersionId: first })).SecretString).toContain("mf_1");
  const described = await client.send(new DescribeSecretCommand({ SecretId: "orders-db" }));
  expect(described.VersionIdsToStages).toEqual({
    [second]: ["AWSCURRENT"],
    [first]: ["AWSPREVIOUS"],
  });
  const listed = await client.send(new ListSecretVersionIdsCommand({ SecretId: "orders-db" }));
  expect(
    listed.Versions?.map(({ VersionId, VersionStages: [stage] = [] }) => [VersionId, stage]),
  ).toEqual([
    [second, "AWSCURRENT"],
    [first, "AWSPREVIOUS"],
  ]);
  const both = await failure(
    readValue("orders-db", { VersionId: first, VersionStage: "AWSCURRENT" }),
  );
  expect(both.name).toBe("InvalidRequestException");
  served.orders.lose(loginOf(1), "it was revoked");
  for (const version of [{ VersionId: first }, { VersionStage: "AWSPREVIOUS" }])
    expect((await failure(readValue("orders-db", version))).name).toBe("ResourceNotFoundException");
});

test("a description says when the next version comes", async () => {
  await using other = await servedSecrets();
  const its = clientOf(other, `${PORT_TOKEN}/`);
  const { NextRotationDate, RotationEnabled } = await its.send(
    new DescribeSecretCommand({ SecretId: "orders-db" }),
  );
  expect(RotationEnabled).toBe(true);
  const due = milliseconds(hours(24) - minutes(65));
  expect(Math.abs(Number(NextRotationDate) - Date.now() - due)).toBeLessThan(120_000);
  const rotated = await its.send(new DescribeSecretCommand({ SecretId: "reports" }));
  expect(rotated.NextRotationDate).toBeUndefined();
  its.destroy();
});

test("a batch has what there is, and says what there is not", async () => {
  const { SecretValues = [], Errors = [] } = await client.send(
    new BatchGetSecretValueCommand({ SecretIdList: ["reports", "nowhere", "orders-db"] }),
  );
  expect(SecretValues.map(({ Name }) => Name)).toEqual(["reports", "orders-db"]);
  expect(Errors.map(({ SecretId, ErrorCode }) => [SecretId, ErrorCode])).toEqual([
    ["nowhere", "ResourceNotFoundException"],
  ]);
  const filtered = await failure(
    client.send(new BatchGetSecretValueCommand({ Filters: [{ Key: "name", Values: ["o"] }] })),
  );
  expect(filtered).toMatchObject({
    name: "InvalidParameterException",
    message: "this port has no Filters: name the secrets in SecretIdList",
  });
});

test("errors are those that the SDK knows, in words", async () => {
  expect(await failure(readValue("nowhere"))).toMatchObject({
    name: "ResourceNotFoundException",
    message: "this agent has no secret nowhere; add it to the agent's configuration",
  });
  expect(await failure(readValue("../orders-db"))).toMatchObject({
    name: "ResourceNotFoundException",
  });
  expect(await failure(readValue("no name"))).toMatchObject({ name: "InvalidParameterException" });
  expect(await failure(readValue("orders-db", { VersionStage: "" }))).toMatchObject({
    name: "InvalidParameterException",
  });
  expect(await failure(client.send(new ListSecretsCommand({})))).toMatchObject({
    name: "UnknownOperationException",
    message: expect.stringMatching(/^ListSecrets is not implemented here: the agent answers Get/),
    httpStatusCode: 400,
  });
  const stranger = clientOf(served, "another-token");
  expect(
    await failure(stranger.send(new GetSecretValueCommand({ SecretId: "orders-db" }))),
  ).toMatchObject({
    name: "AccessDeniedException",
    httpStatusCode: 403,
  });
  stranger.destroy();
});

test("while there is no login, the answer is 503 with the reason, when patience is over", async () => {
  await using other = await servedSecrets({ patience: milliseconds(50) });
  other.orders.current = () =>
    Promise.reject(new KeeperError("unavailable", "the issuer is out of reach: it is asked again"));
  const its = clientOf(other, PORT_TOKEN);
  expect(
    await failure(its.send(new GetSecretValueCommand({ SecretId: "orders-db" }))),
  ).toMatchObject({
    name: "InternalServiceError",
    message: "the issuer is out of reach: it is asked again",
    httpStatusCode: 503,
  });
  its.destroy();
});
