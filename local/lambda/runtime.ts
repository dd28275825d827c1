/*
 * The Node runtime loop inside a function's process, as in Lambda's managed runtime. It takes one
 * invocation after the other from the runtime API, and behaves as the real one where handlers can
 * tell: errors are logged with every enumerable property, callback handlers are refused, an error
 * outside the handler ends the process.
 */
import { existsSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const { env } = process;
// importing it would also load WebSocket and fetch, which few functions need
const { Agent, request } = process.getBuiltinModule("node:http");
const api = `http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new Agent({ keepAlive: true });
let requestId = "";

interface Message {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Handler = (event: unknown, context: unknown) => unknown;

/** Not `fetch`, which times out if no event comes for five minutes. */
function call(method: string, path: string, body?: string): Promise<Message> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api}${path}`, { method, agent }, (response) => {
      const { headers } = response;
      text(response).then((content) => resolve({ headers, body: content }), reject);
    });
    sent.once("error", reject).end(body);
  });
}

const asError = (thrown: unknown): Error =>
  thrown instanceof Error
    ? thrown
    : Object.assign(new Error(String(thrown)), { name: typeof thrown });

const report = (error: Error): string =>
  JSON.stringify({
    errorType: error.name,
    errorMessage: error.message,
    trace: (error.stack ?? "").split("\n"),
  });

/** The log shows every enumerable property of an error. */
function print(title: string, error: Error): void {
  const { name: errorType, message: errorMessage } = error;
  const stack = (error.stack ?? "").split("\n");
  const everything = Object.assign({ errorType, errorMessage }, error, { stack });
  let words = report(error);
  try {
    words = JSON.stringify(everything);
  } catch {
    // a property contains a cycle: report type, message and trace only
  }
  log("ERROR", title, `\t${words}`);
}

function log(level: string, ...words: unknown[]): void {
  const line = format(...words).replaceAll("\n", "\r");
  process.stdout.write(`${new Date().toISOString()}\t${requestId}\t${level}\t${line}\n`);
}

function patchConsole(): void {
  const levels = {
    log: "INFO",
    info: "INFO",
    debug: "DEBUG",
    warn: "WARN",
    error: "ERROR",
  } as const;
  for (const [method, level] of Object.entries(levels))
    console[method as keyof typeof levels] = (...words) => log(level, ...words);
}

async function loadHandler(): Promise<Handler> {
  const [file = "", name = ""] = (env._HANDLER ?? "").split(".");
  const path = ["mjs", "js", "cjs"]
    .map((extension) => join(env.LAMBDA_TASK_ROOT ?? "", `${file}.${extension}`))
    .find((each) => existsSync(each));
  if (path === undefined)
    throw Object.assign(new Error(`Cannot find module '${file}'`), {
      name: "Runtime.ImportModuleError",
    });
  const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  flushCompileCache(); // environments are ended by SIGKILL, and then Node would not write its cache
  const handler = module[name] ?? (module.default as Record<string, unknown> | undefined)?.[name];
  if (typeof handler !== "function")
    throw Object.assign(new Error(`${env._HANDLER} is undefined or not exported`), {
      name: "Runtime.HandlerNotFound",
    });
  if (handler.length > 2)
    throw Object.assign(new Error("callback-based handlers are not supported; use an async one"), {
      name: "Runtime.CallbackHandlerDeprecated",
    });
  return handler as Handler;
}

function contextOf(headers: IncomingHttpHeaders): unknown {
  const clientContext = headers["lambda-runtime-client-context"];
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    awsRequestId: requestId,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    ...(clientContext !== undefined && { clientContext: JSON.parse(String(clientContext)) }),
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

async function serve(handler: Handler): Promise<never> {
  for (;;) {
    const { headers, body } = await call("GET", "/invocation/next");
    requestId = String(headers["lambda-runtime-aws-request-id"]);
    try {
      const answer = await handler(JSON.parse(body), contextOf(headers));
      await call("POST", `/invocation/${requestId}/response`, JSON.stringify(answer) ?? "null");
    } catch (thrown) {
      print("Invoke Error ", asError(thrown));
      await call("POST", `/invocation/${requestId}/error`, report(asError(thrown)));
    }
  }
}

async function die(title: string, name: string, status: number, thrown: unknown): Promise<void> {
  const error = asError(thrown);
  if (name !== "") error.name = name;
  print(title, error);
  const path = requestId === "" ? "/init/error" : `/invocation/${requestId}/error`;
  // the runner may be gone already, and a failed report must not cause another error
  await call("POST", path, report(error)).catch(() => undefined);
  process.exit(status);
}

// the runner holds the other end of stdin: when the runner ends, this process ends too
process.stdin.resume().once("end", () => process.exit(1));
process.on("uncaughtException", (error) => void die("Uncaught Exception ", "", 129, error));
process.on("unhandledRejection", (reason) => {
  void die("Unhandled Promise Rejection ", "Runtime.UnhandledPromiseRejection", 128, reason);
});
patchConsole();
try {
  await serve(await loadHandler());
} catch (thrown) {
  await die("Uncaught Exception ", "", 1, thrown);
}
