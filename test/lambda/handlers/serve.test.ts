import { Logger } from "@aws-lambda-powertools/logger";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { METRIC_NAMESPACE, METRIC_SERVICE } from "../../../core/metric.ts";
import { serve } from "../../../lambda/handlers/serve.ts";

type Line = Readonly<Record<string, unknown>>;

let lines: Line[];

beforeEach(() => {
  vi.stubEnv("POWERTOOLS_METRICS_NAMESPACE", METRIC_NAMESPACE);
  vi.stubEnv("POWERTOOLS_SERVICE_NAME", METRIC_SERVICE);
  vi.stubEnv("EVENT_BUS_ARN", "arn:aws:events:eu-west-1:111122223333:event-bus/audit");
  for (const name of ["ADMIN", "ISSUER", "JANITOR"])
    vi.stubEnv(
      `${name}_SECRET_ARN`,
      `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${name}`,
    );
  for (const name of ["SCHEDULE_GROUP", "SERVER_ID", "DB_HOST", "LAMBDA_TASK_ROOT"])
    vi.stubEnv(name, "x");
  vi.stubEnv("POWERTOOLS_LOG_LEVEL", "INFO");
  vi.stubEnv("AWS_REGION", "eu-west-1");
  vi.stubEnv("DB_PORT", "5432");
  lines = [];
  const keep = (text: unknown): true => {
    lines.push(
      ...String(text)
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line),
    );
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(keep);
  vi.spyOn(process.stderr, "write").mockImplementation(keep);
  vi.spyOn(console, "log").mockImplementation(keep);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const invokedFunctionArn = "arn:aws:lambda:eu-west-1:111122223333:function:provisioner";

type Handler = (event: never, context: never) => Promise<unknown>;

/** What a function throws. */
const thrownBy = (handler: Handler, event: unknown): Promise<unknown> =>
  handler(event as never, { awsRequestId: "request-1", invokedFunctionArn } as never).then(
    () => undefined,
    (error: unknown) => error,
  );

const MODULES: Readonly<Record<string, () => Promise<{ handler: unknown }>>> = {
  provisioner: () => import("../../../lambda/handlers/provisioner.ts"),
  seeder: () => import("../../../lambda/handlers/seeder.ts"),
  forwarder: () => import("../../../lambda/handlers/forwarder.ts"),
};

const unreadable = new Proxy(
  { RequestType: "Create" },
  {
    get: () => {
      throw new TypeError("a bug");
    },
  },
);

test.each([
  ["provisioner", unreadable],
  ["seeder", unreadable],
  ["forwarder", { awslogs: { data: "bm90IGd6aXA=" } }],
])(
  "the %s that fails unexpectedly logs the details under the id that it names",
  async (name, event) => {
    const { handler } = (await MODULES[name]?.()) ?? {};
    const error = await thrownBy(handler as Handler, event);
    expect(error).toMatchObject({
      name: "InternalError",
      message:
        "request request-1 failed unexpectedly; the function's log has the details under this id",
    });
    expect(Object.keys(error as Error)).toEqual([]);
    const [logged] = lines.filter(({ message }) => message === "unexpected failure");
    expect(logged).toMatchObject({ function_request_id: "request-1", level: "ERROR" });
    expect(logged?.frames).toContainEqual(expect.stringMatching(/^\s+at /));
  },
);

test("a failing run is counted for the database of the function, also if its plan cannot be read", async () => {
  vi.stubEnv("DATABASE", "orders");
  vi.resetModules(); // the module reads its environment once
  const { handler } = (await MODULES.provisioner?.()) ?? {};
  const event = { RequestType: "Create", ResourceProperties: { Plan: "{" }, StackId: "s" };
  expect(await thrownBy(handler as Handler, { ...event, LogicalResourceId: "p" })).toMatchObject({
    name: "ConfigError",
  });
  expect(lines.filter((line) => "_aws" in line)).toEqual([
    expect.objectContaining({ database: "orders", service: "mayfly", ProvisioningFailed: 1 }),
  ]);
  expect(lines.filter(({ message }) => message === "request.refused")).toHaveLength(1);
});

test("a function does not answer before Lambda's time limit ends it", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const slow = serve<unknown, string>({ logger: new Logger() }).handler(() => promise);
  setTimeout(() => resolve("done"), 5);
  const context = { awsRequestId: "request-1", getRemainingTimeInMillis: () => 0 };
  expect(await slow({}, context as never)).toBe("done");
});
