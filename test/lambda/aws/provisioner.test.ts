import { type AddressInfo, createServer, type Server } from "node:net";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { afterAll, beforeAll, expect, test } from "vitest";
import { provisionerFunction } from "../../../lambda/aws/provisioner.ts";
import { type FakeLambda, fakeLambda } from "../../support/fake-lambda.ts";

let fake: FakeLambda;
let silent: Server;
beforeAll(async () => {
  fake = await fakeLambda();
  silent = createServer(() => {}); // accepts, and never answers
  await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
});
afterAll(async () => {
  silent.close();
  await fake.stop();
});

const target = { convergeArn: "mayfly-Mayfly-qdoi-provisioner:converge", region: "eu-west-1" };

const at = (endpoint: string | undefined, patience = 10_000) =>
  provisionerFunction(
    new LambdaClient({
      region: "eu-west-1",
      credentials: { accessKeyId: "id", secretAccessKey: "key" },
      maxAttempts: 1,
      ...(endpoint !== undefined && { endpoint }),
    }),
    { ...target, patience },
  );

const failure = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );

test("converge invokes the provisioner and returns its report", async () => {
  const report = { rolesMade: 1, warnings: [] };
  fake.script({ body: report });
  expect(await at(fake.env.AWS_ENDPOINT_URL).converge()).toEqual(report);
  expect(fake.events.at(-1)).toEqual({ action: "converge" });
  expect(fake.invoked.at(-1)).toBe(target.convergeArn);
});

test.each([
  ["ConfigError", false],
  ["StatementRejectedError", false],
  ["InvalidRequestError", false],
  ["DatabaseUnavailableError", true],
  ["InternalError", false],
  ["Sandbox.Timedout", true],
])(
  "what it refuses with, %s, arrives under its own name and in its own words",
  async (errorType, retryable) => {
    fake.script({ errorType });
    expect(await failure(at(fake.env.AWS_ENDPOINT_URL).converge())).toMatchObject({
      name: errorType,
      message: `it says ${errorType}`,
      retryable,
    });
  },
);

test.each([
  [
    "TooManyRequestsException",
    429,
    "ProvisionerUnavailableError",
    /^the provisioner is busy with a dep/,
  ],
  [
    "ServiceException",
    500,
    "LambdaUnavailableError",
    /called \(ServiceException on lambda:InvokeFunction\); wait and/,
  ],
  [
    "AccessDeniedException",
    403,
    "AwsRefusedError",
    /called \(AccessDeniedException on lambda:InvokeFunction\); check the/,
  ],
])("%s of the API is a %s", async (errorType, status, name, message) => {
  fake.script({ errorType, status });
  const error = await failure(at(fake.env.AWS_ENDPOINT_URL).converge());
  expect(error).toMatchObject({ name, message: expect.stringMatching(message) });
});

const UNREACHABLE = {
  name: "ConfigError",
  message: expect.stringContaining("endpoint for com.amazonaws.eu-west-1.lambda, or a NAT"),
};

test("if the Lambda API cannot be reached, the error names the missing endpoint", async () => {
  expect(await failure(at("http://127.0.0.1:1").converge())).toMatchObject(UNREACHABLE);
  const noRoute = Object.assign(new Error("the SDK's words"), { name: "TimeoutError" });
  const client = { send: () => Promise.reject(noRoute) };
  const provisioner = provisionerFunction(client, { ...target, patience: 1_000 });
  expect(await failure(provisioner.converge())).toMatchObject(UNREACHABLE);
});

test("a late answer of the provisioner is a retryable error", async () => {
  const { port } = silent.address() as AddressInfo;
  expect(await failure(at(`http://127.0.0.1:${port}`, 200).converge())).toMatchObject({
    name: "ProvisionerUnavailableError",
    message: expect.stringMatching(/^the provisioner has not answered yet and still runs/),
  });
});
