import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "@aws-lambda-powertools/logger";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { RotationSettings } from "../../core/rotation/settings.ts";
import { composeRotator } from "../../lambda/handlers/compose-rotator.ts";
import type { Environment } from "../../lambda/handlers/environment.ts";
import { SINGLE_USER } from "../support/single-user.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf";
const MASTER = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf";
const TOKEN = "11111111-1111-4111-8111-111111111111";
const ROTATION_TOKEN = "22222222-2222-4222-8222-222222222222";

const LOGIN = {
  engine: "postgres",
  host: "db.example.com",
  username: "app",
  password: "the-password",
};

/** What AWS was asked, and what it answers: a secret's value by id and label, an error by its name. */
const requests: (readonly [operation: string, input: Readonly<Record<string, unknown>>])[] = [];
let values: Record<string, unknown>;
let stages: readonly string[];
let failure: string | undefined;

function answer(operation: string, { SecretId, VersionStage }: Record<string, unknown>): unknown {
  if (operation === "DescribeSecret") return { ARN, VersionIdsToStages: { [TOKEN]: stages } };
  if (operation !== "GetSecretValue") return {};
  const value = values[`${String(SecretId)} ${String(VersionStage)}`];
  return value && { SecretString: JSON.stringify(value), VersionId: "version" };
}

let aws: Server;
let folder: string;
const env = (more: Environment = {}): Environment => ({
  AWS_REGION: "eu-west-1",
  DB_HOST: "db.example.com",
  DB_PORT: "5432",
  LAMBDA_TASK_ROOT: folder,
  SECRET_ARN: ARN,
  ...more,
});

beforeAll(async () => {
  aws = createServer((request, response) => {
    let sent = "";
    request.on("data", (chunk: Buffer) => {
      sent += chunk.toString();
    });
    request.on("end", () => {
      const [, operation] = String(request.headers["x-amz-target"] ?? "").split(".");
      const form = Object.fromEntries(new URLSearchParams(sent));
      const input: Record<string, unknown> = operation === undefined ? form : JSON.parse(sent);
      requests.push([operation ?? form.Action ?? "", input]);
      const reply = operation === undefined ? "<R/>" : answer(operation, input);
      const error = failure ?? (reply === undefined ? "ResourceNotFoundException" : undefined);
      response.statusCode = error === undefined ? 200 : 400;
      response.setHeader("x-amzn-errortype", error ?? "");
      response.end(typeof reply === "string" ? reply : JSON.stringify(reply ?? {}));
    });
  });
  await new Promise<void>((listening) => {
    aws.listen(0, "127.0.0.1", listening);
  });
  const { port } = aws.address() as AddressInfo;
  vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${port}`);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "key");
  folder = mkdtempSync(join(tmpdir(), "mayfly-rotator-"));
  for (const [key, value] of Object.entries(env())) vi.stubEnv(key, value);
});
beforeEach(() => {
  requests.length = 0;
  values = { [`${ARN} AWSCURRENT`]: LOGIN };
  stages = ["AWSPENDING"];
  failure = undefined;
  deploy({});
});
afterAll(() => {
  vi.unstubAllEnvs();
  aws.close();
  aws.closeAllConnections();
  rmSync(folder, { recursive: true });
});

const deploy = (changes: Partial<RotationSettings>): void =>
  writeFileSync(join(folder, "rotation.json"), JSON.stringify({ ...SINGLE_USER, ...changes }));
const event = (more: object = {}) => ({
  Step: "createSecret",
  SecretId: ARN,
  ClientRequestToken: TOKEN,
  RotationToken: ROTATION_TOKEN,
  ...more,
});
const create = (more: Environment = {}) => composeRotator(env(more), new Logger())(event());
const put = (): Record<string, unknown> =>
  requests.find(([operation]) => operation === "PutSecretValue")?.[1] ?? {};

describe("a rotation function is made", () => {
  test("from its environment, and names all that is missing there", () => {
    expect(() => composeRotator({ DB_HOST: "db.example.com", DB_PORT: "" }, new Logger())).toThrow(
      "the function's environment lacks AWS_REGION, DB_PORT, LAMBDA_TASK_ROOT, SECRET_ARN; deploy the stack again",
    );
  });

  test("from the rotation.json beside its bundle", async () => {
    deploy({ password: { length: 40, excludeCharacters: "abc" } });
    expect(await create()).toEqual({ step: "createSecret", secretId: ARN, outcome: "done" });
    const { SecretString, ...rest } = put();
    expect(rest).toEqual({
      SecretId: ARN,
      ClientRequestToken: TOKEN,
      VersionStages: ["AWSPENDING"],
      RotationToken: ROTATION_TOKEN,
    });
    const { password, ...login } = JSON.parse(String(SecretString)) as typeof LOGIN;
    expect(login).toEqual({ engine: "postgres", host: "db.example.com", username: "app" });
    expect(password).toMatch(/^[^abc]{40}$/);
  });

  test.each([
    ["plaintext", 1],
    ["verify-full", 0],
  ] as const)("with %s it warns %i times", (tls, times) => {
    deploy({ tls });
    const logger = new Logger();
    const warn = vi.spyOn(logger, "warn");
    composeRotator(env(), logger);
    expect(warn).toHaveBeenCalledTimes(times);
  });

  test.each([{}, { MASTER_SECRET_ARN: "" }])(
    "without an administrator's secret, which two users cannot do without (%j)",
    async (more) => {
      await create(more);
      deploy({ strategy: "alternating-users", usernames: ["app", "app_b"] });
      await expect(create(more)).rejects.toMatchObject({
        name: "ConfigError",
        message: `secret ${ARN} has two alternating users, and its function was deployed without an administrator's secret; deploy the stack again`,
      });
    },
  );

  test("with an administrator's secret, which is read", async () => {
    deploy({ strategy: "alternating-users", usernames: ["app", "app_b"] });
    values[`${MASTER} AWSCURRENT`] = { ...LOGIN, username: "postgres" };
    await create({ MASTER_SECRET_ARN: MASTER });
    expect(JSON.parse(String(put().SecretString))).toMatchObject({ username: "app_b" });
  });

  test.each(["replica.example.com:5432", "other.example.com:5432,REPLICA.example.com:6432"])(
    "with the readers of its configuration, of which RDS is asked nothing: %s",
    async (DB_READERS) => {
      values[`${ARN} AWSCURRENT`] = { ...LOGIN, host: "replica.example.com" };
      const report = await create({ DB_READERS, DB_INSTANCE: "orders-db" });
      expect(report).toMatchObject({ outcome: "done" });
      expect(requests.filter(([operation]) => operation.includes("DB"))).toEqual([]);
    },
  );

  test.each([
    [{ DB_INSTANCE: "orders-db" }, { DBInstanceIdentifier: "orders-db" }],
    [{ DB_CLUSTER: "orders" }, { DBClusterIdentifier: "orders" }],
    [{ DB_CLUSTER: "", DB_INSTANCE: "orders-db" }, { DBInstanceIdentifier: "orders-db" }],
  ])("with what RDS calls the server: %j", async (more, input) => {
    values[`${ARN} AWSCURRENT`] = { ...LOGIN, host: "outsider.example.com" };
    await expect(create(more)).rejects.toThrow(/names the host outsider\.example\.com/);
    expect(requests.map(([, each]) => each)).toContainEqual(expect.objectContaining(input));
  });
});

describe("the function", () => {
  const context = { awsRequestId: "request-of-this-test" };
  const call = async (sent: unknown): Promise<unknown> => {
    const { handler } = await import("../../lambda/handlers/rotator.ts");
    return handler(sent, context as Parameters<typeof handler>[1]);
  };

  test("answers what a step came to", async () => {
    stages = ["AWSCURRENT"];
    expect(await call(event({ Step: "testSecret" }))).toEqual({
      step: "testSecret",
      secretId: ARN,
      outcome: "current already",
    });
  });

  test.each([
    ["a step it does not know", { Step: "create_secret" }, "InvalidRequestError"],
    ["no token", { ClientRequestToken: undefined }, "InvalidRequestError"],
    ["another secret", { SecretId: MASTER }, "NotAllowedError"],
  ])("fails by name and message alone for %s, and asks AWS nothing", async (_, more, name) => {
    const error: unknown = await call(event(more)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name });
    expect(Object.keys(error as Error)).toEqual([]);
    expect(String((error as Error).stack)).not.toContain(ROTATION_TOKEN);
    expect(requests).toEqual([]);
  });

  test.each([
    ["AccessDeniedException", "AwsRefusedError"],
    ["ThrottlingException", "SecretsManagerUnavailableError"],
  ])("that meets %s fails with a %s", async (fault, name) => {
    failure = fault;
    const error: unknown = await call(event()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name,
      message: expect.stringContaining(`(${fault} on secretsmanager:DescribeSecret)`),
    });
    expect(Object.keys(error as Error)).toEqual([]);
  });
});
