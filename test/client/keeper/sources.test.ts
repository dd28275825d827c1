import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeeperError } from "../../../client/keeper/errors.ts";
import { keepLease } from "../../../client/keeper/lease-keeper.ts";
import { awsFailure } from "../../../client/keeper/sources/aws-sdk.ts";
import { invokeBySdk } from "../../../client/keeper/sources/invoke.ts";
import { issuer, issuerBy } from "../../../client/keeper/sources/issuer.ts";
import { rotatedSecret, secretBySdk } from "../../../client/keeper/sources/secrets-manager.ts";
import { type AwsAnswer, awsError, awsThatAnswers } from "../../support/aws-answers.ts";

const signal = new AbortController().signal;
const ALIAS = "function:Mayfly-orders-Issuer0123456789ABCDEF:user-service--readonly";
let regions = 0;
/** Clients are kept for each Region: a test has one of its own. */
function newRegion(): string {
  regions += 1;
  return `eu-test-${regions}`;
}
const arnIn = (region: string): string => `arn:aws:lambda:${region}:123456789012:${ALIAS}`;

const CREDENTIAL = {
  leaseId: "orders/readonly/mf_a",
  engine: "postgres",
  host: "db.example",
  port: 5432,
  dbname: "orders",
  username: "mf_a",
  password: "correct horse",
  sslmode: "verify-full",
  issuedAt: "2027-01-11T09:00:00.000Z",
  refreshAfter: "2027-01-11T09:40:00.000Z",
  expiresAt: "2027-01-11T10:00:00.000Z",
  maxExpiresAt: "2027-01-12T09:00:00.000Z",
  revocationScheduled: true,
  successor: true,
};
const SECRET = { username: "app", password: "correct horse", host: "db.example", port: 5433 };
const functionError = (errorType: string, errorMessage = "in the function's words"): AwsAnswer => ({
  headers: { "x-amz-function-error": "Unhandled" },
  body: { errorType, errorMessage },
});

let answer: AwsAnswer;
let aws: Awaited<ReturnType<typeof awsThatAnswers>>;

beforeEach(async () => {
  aws = await awsThatAnswers(() => answer);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "example");
  vi.stubEnv("AWS_ENDPOINT_URL_LAMBDA", aws.endpoint);
  vi.stubEnv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.endpoint);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await aws.close();
});

const failureOf = async (attempt: Promise<unknown>): Promise<KeeperError> => {
  const error = await attempt.catch((reason: unknown) => reason);
  if (error instanceof KeeperError) return error;
  throw new Error(`it is no KeeperError: ${String(error)}`);
};

test("an issuer is invoked by the ARN of its alias, in the Region of the ARN", async () => {
  answer = { body: CREDENTIAL };
  const region = newRegion();
  const source = issuer(arnIn(region));
  const lease = await source.issue({ key: "pod-1", minRemainingSeconds: 60 }, signal);
  expect(lease).toMatchObject({
    mayHaveNext: true,
    login: { id: "orders/readonly/mf_a", port: 5432 },
  });
  expect(lease.login.password.reveal()).toBe("correct horse");
  expect(JSON.stringify(lease)).not.toContain("correct horse");
  await source.renew("orders/readonly/mf_a", 600, signal);
  await source.revoke("orders/readonly/mf_a", signal);
  expect(aws.asked.map(({ body }) => body)).toEqual([
    { action: "issue", idempotencyKey: "pod-1", minRemainingSeconds: 60 },
    { action: "renew", leaseId: "orders/readonly/mf_a", ttlSeconds: 600 },
    { action: "revoke", leaseId: "orders/readonly/mf_a" },
  ]);
  expect(aws.asked[0]?.path).toContain(ALIAS);
  expect(aws.asked[0]?.authorization).toContain(`/${region}/lambda/`);
});

test("a lease over the real SDK, from a keeper with the machine's clocks", async () => {
  answer = { body: CREDENTIAL };
  await using keeper = keepLease({ source: issuer(arnIn(newRegion())), shared: true });
  expect((await keeper.current()).username).toBe("mf_a");
});

const WRONG: readonly [string, AwsAnswer, string, RegExp][] = [
  [
    "no function",
    awsError("ResourceNotFoundException", 404),
    "absent",
    /no alias in eu-test-\d+ .*correct name and Region/,
  ],
  [
    "denied by IAM",
    awsError("AccessDeniedException", 403),
    "denied",
    /user-service.*needs lambda:InvokeFunction, or the name is wrong/,
  ],
  ["credentials are over", awsError("ExpiredTokenException", 403), "denied", /log in again/],
  [
    "throttled",
    awsError("TooManyRequestsException", 429),
    "throttled",
    /user-service.*asked later/,
  ],
  [
    "AWS is down",
    awsError("ServiceException", 500),
    "unavailable",
    /user-service.*ServiceException/,
  ],
  [
    "role unknown",
    functionError("NotAllowedError"),
    "denied",
    /user-service.*role unknown.*deploy/,
  ],
  [
    "limit reached",
    functionError("LimitReachedError"),
    "limit",
    /user-service.*maxLeases ≥ 2 × replicas/,
  ],
  [
    "wrong ttl",
    functionError(
      "InvalidRequestError",
      "ttlSeconds 90000 is more than 86400, the maximum of role readonly; ask for at most that, or leave it out",
    ),
    "invalid",
    /ttlSeconds 90000.*at most/,
  ],
  [
    "database away",
    functionError("DatabaseUnavailableError"),
    "unavailable",
    /user-service.*DatabaseUnavailableError/,
  ],
  ["function timed out", functionError("Sandbox.Timedout"), "unavailable", /asked again/],
  ["a bug", functionError("InternalError"), "unavailable", /user-service.*its log/],
  ["another function", { body: { hello: "world" } }, "invalid", /user-service.*not an issuer/],
];

test.each(WRONG)(
  "%s: told apart, in at most 160 characters with the value and the remedy",
  async (_, wrong, failure, text) => {
    answer = wrong;
    const error = await failureOf(issuer(arnIn(newRegion())).issue({ key: "k" }, signal));
    expect(error.failure).toBe(failure);
    expect(error.message).toMatch(text);
    expect(error.message.length).toBeLessThanOrEqual(160);
  },
);

test("a lease that is over is no failure of the source", async () => {
  answer = functionError("LeaseEndedError", "it was revoked");
  const source = issuer(arnIn(newRegion()));
  await expect(source.renew("orders/readonly/mf_a", undefined, signal)).rejects.toMatchObject({
    name: "LeaseEndedError",
    message: "it was revoked",
  });
});

test("nothing listens: out of reach", async () => {
  await aws.close();
  const error = await failureOf(issuer(arnIn(newRegion())).issue({ key: "k" }, signal));
  expect(error.failure).toBe("unavailable");
  expect(error.message).toContain("out of reach");
});

test("an abort ends a call", async () => {
  const stop = new AbortController();
  let arrived = (): void => {};
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const silent = await awsThatAnswers(() => {
    arrived();
    return new Promise(() => {});
  });
  vi.stubEnv("AWS_ENDPOINT_URL_LAMBDA", silent.endpoint);
  const call = issuer(arnIn(newRegion())).issue({ key: "k" }, stop.signal);
  const failed = failureOf(call);
  await arrival;
  stop.abort();
  expect((await failed).failure).toBe("unavailable");
  await silent.close();
});

test("no credentials, and no SDK, are told with the remedy", async () => {
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_PROFILE", "nobody");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  const poor = await failureOf(issuer(arnIn(newRegion())).issue({ key: "k" }, signal));
  expect(poor).toMatchObject({ failure: "denied" });
  expect(poor.message).toMatch(/^no AWS credentials for Mayfly-orders.*log in$/);

  const missing = (): Promise<never> => Promise.reject(new Error("Cannot find package"));
  const lambda = issuerBy(invokeBySdk(missing), arnIn(newRegion()));
  const secrets = secretBySdk(missing)("orders");
  const errors = [
    await failureOf(lambda.issue({ key: "k" }, signal)),
    await failureOf(secrets.read(signal)),
  ];
  expect(errors.map(({ failure, message }) => `${failure}: ${message}`)).toEqual([
    "invalid: @aws-sdk/client-lambda is not installed: npm install @aws-sdk/client-lambda",
    "invalid: @aws-sdk/client-secrets-manager is not installed: npm install @aws-sdk/client-secrets-manager",
  ]);
});

test.each([
  "orders",
  "",
  "arn:aws:lambda:eu-west-1:123456789012:function:issuer",
  "arn:aws:lambda:eu-west-1:123456789012:function:issuer:a:b",
  "arn:aws:s3:::bucket",
  `arn:aws:lambda:${"x".repeat(300)}`,
])("%s is refused at once: it is not the ARN of an alias", async (arn) => {
  const error = await failureOf((async () => issuer(arn))());
  expect(error.message).toMatch(/^".*" is not the ARN of an alias: write arn:aws:lambda:/);
  expect(error.message.length).toBeLessThanOrEqual(160);
});

test("a secret is read by ARN or name, and gives a login without showing the password", async () => {
  answer = { body: { SecretString: JSON.stringify(SECRET), VersionId: "v1" } };
  const region = newRegion();
  const arn = `arn:aws:secretsmanager:${region}:123456789012:secret:orders/app-AbCdEf`;
  const login = await rotatedSecret(arn).read(signal);
  expect(login).toMatchObject({
    id: "orders/app-AbCdEf#v1",
    username: "app",
    port: 5433,
    dbname: "postgres",
    tls: "verify-full",
    version: { id: "v1" },
  });
  expect(login.password.reveal()).toBe("correct horse");
  expect(login.version?.text.reveal()).toBe(JSON.stringify(SECRET));
  expect(inspect(login) + JSON.stringify(login)).not.toContain("correct horse");
  expect(aws.asked).toMatchObject([
    {
      target: "secretsmanager.GetSecretValue",
      body: { SecretId: arn, VersionStage: "AWSCURRENT" },
    },
  ]);
  expect(aws.asked[0]?.authorization).toContain(`/${region}/secretsmanager/`);
});

test.each([
  ["ResourceNotFoundException", 400, "absent", /no secret in/],
  ["AccessDeniedException", 400, "denied", /GetSecretValue/],
  ["ThrottlingException", 400, "throttled", /asked later/],
  ["InternalServiceError", 500, "unavailable", /out of reach/],
])("a secret that is answered by %s", async (name, status, failure, text) => {
  answer = awsError(name, status);
  const arn = `arn:aws:secretsmanager:${newRegion()}:123456789012:secret:orders/app-AbCdEf`;
  const error = await failureOf(rotatedSecret(arn).read(signal));
  expect(error.failure).toBe(failure);
  expect(error.message).toMatch(text);
  expect(error.message.length).toBeLessThanOrEqual(160);
});

test("a network that refuses is told by the system's code", () => {
  const error = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const called = { name: "issuer:app", kind: "alias", permission: "none" };
  expect(awsFailure(error, called)).toMatchObject({
    failure: "unavailable",
    message: "issuer:app is out of reach (ECONNREFUSED): it is asked again",
  });
});

test.each(["correct horse", '{"password":"correct horse"}', '"correct horse"', "null", "[]"])(
  "a secret %s is no database secret, and no error shows it",
  async (SecretString) => {
    answer = { body: { SecretString, VersionId: "v1" } };
    const arn = `arn:aws:secretsmanager:${newRegion()}:123456789012:secret:orders/app-AbCdEf`;
    const error = await failureOf(rotatedSecret(arn).read(signal));
    expect(error.failure).toBe("invalid");
    expect(error.message).toContain("is not a database secret");
    expect(`${error.message} ${String(error.cause)} ${error.stack}`).not.toContain("horse");
  },
);

test("a secret that is named without a Region needs one from the environment", async () => {
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  const named = secretBySdk(() => import("@aws-sdk/client-secrets-manager"))("orders/app");
  const error = await failureOf(named.read(signal));
  expect(error.message).toBe("no Region for orders/app: set AWS_REGION, or name it by its ARN");
});
