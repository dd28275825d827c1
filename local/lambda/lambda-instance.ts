import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { COMPILE_CACHE } from "../compile-cache.ts";

/** One event on its way to a function. */
export interface Invocation {
  readonly requestId: string;
  /** JSON. */
  readonly payload: string;
  /** The ARN as the caller wrote it, with its alias. */
  readonly invokedArn: string;
  /** JSON from the caller. The function must not trust it. */
  readonly clientContext?: string | undefined;
  /** True if a function makes the call and waits for the answer. */
  readonly isInner?: boolean;
}

/** The result of an event. `failed` is a function error: the call itself succeeded. */
export interface Outcome {
  readonly failed: boolean;
  /** JSON. */
  readonly payload: string;
}

/** How to start a process of a function. */
export interface InstanceOptions {
  readonly taskRoot: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly onLine: (line: string) => void;
}

/** Longest start of a process, which does not count against the function's timeout. */
const INIT_SECONDS = 10;
const RUNTIME = join(import.meta.dirname, "runtime.ts");
const PATH =
  /^\/2018-06-01\/runtime\/(?:invocation\/(?:next|[^/]+\/(?<kind>response|error))|(?<init>init)\/error)$/;

const failure = (errorType: string, errorMessage: string): Outcome => ({
  failed: true,
  payload: JSON.stringify({ errorType, errorMessage }),
});

/** The result of an event whose process ended. */
const exited = ({ requestId }: Invocation, how: string): Outcome =>
  failure("Runtime.ExitError", `RequestId: ${requestId} Error: Runtime exited with error: ${how}`);

/** The result of an event whose process was killed. */
export const killed = (invocation: Invocation): Outcome => exited(invocation, "signal: killed");

interface Pending {
  readonly invocation: Invocation;
  readonly finish: (outcome: Outcome) => void;
}

/** One execution environment: a process, and the runtime API that gives it one event at a time. */
export class LambdaInstance {
  readonly #options: InstanceOptions;
  readonly #server: Server;
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #waiting: ServerResponse | undefined;
  #pending: Pending | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** How the process ended. */
  #end: string | undefined;
  /** False once the process has ended or must not be used again. */
  alive = true;

  constructor(options: InstanceOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      // if the process dies during a request, the close event finishes the request
      this.#answer(request, response).catch(() => response.destroy());
    });
    // the process sends nothing between asking for an event and answering it
    this.#server.keepAliveTimeout = 0;
  }

  async start(): Promise<void> {
    const { environment, taskRoot, onLine } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    if (!this.alive) {
      this.#server.close();
      throw new Error("stopped while starting");
    }
    const api = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const child = spawn(process.execPath, [RUNTIME], {
      cwd: taskRoot,
      env: {
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        ...environment,
        AWS_LAMBDA_RUNTIME_API: api,
        LAMBDA_TASK_ROOT: taskRoot,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#process = child;
    this.#exited = new Promise((resolve) => {
      const end = (how: string): void => {
        this.alive = false;
        this.#end = how;
        this.#finish((invocation) => exited(invocation, how));
        this.#server.close(() => resolve());
        this.#server.closeAllConnections();
      };
      child.once("close", (status, signal) =>
        end(signal === null ? `exit status ${status}` : `signal: ${signal}`),
      );
      child.on("error", ({ message }) => {
        if (child.pid === undefined) end(message);
        else onLine(message);
      });
    });
    // a process that could not be started has no streams
    if (child.pid === undefined) return;
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on("line", onLine);
  }

  /** Run one event. Never two at a time; never rejects. */
  invoke(invocation: Invocation): Promise<Outcome> {
    const end = this.#end;
    if (end !== undefined) return Promise.resolve(exited(invocation, end));
    return new Promise((finish) => {
      this.#pending = { invocation, finish };
      this.#limit(INIT_SECONDS + this.#options.timeoutSeconds);
      this.#give();
    });
  }

  /** Kill the process and wait until it is gone. */
  async stop(): Promise<void> {
    this.alive = false;
    this.#process?.kill("SIGKILL");
    await this.#exited;
  }

  #give(): void {
    if (this.#waiting === undefined || this.#pending === undefined) return;
    const { requestId, payload, invokedArn, clientContext } = this.#pending.invocation;
    const seconds = this.#options.timeoutSeconds;
    this.#waiting.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": requestId,
      "lambda-runtime-invoked-function-arn": invokedArn,
      "lambda-runtime-deadline-ms": String(Date.now() + seconds * 1_000),
      ...(clientContext !== undefined && { "lambda-runtime-client-context": clientContext }),
    });
    this.#waiting.end(payload);
    this.#waiting = undefined;
    this.#limit(seconds);
  }

  #limit(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#timeOut(), seconds * 1_000);
  }

  #finish(outcome: (invocation: Invocation) => Outcome): void {
    const pending = this.#pending;
    clearTimeout(this.#timer);
    this.#pending = undefined;
    pending?.finish(outcome(pending.invocation));
  }

  #timeOut(): void {
    const seconds = this.#options.timeoutSeconds.toFixed(2);
    this.#finish(({ requestId }) => {
      const line = `${new Date().toISOString()} ${requestId} Task timed out after ${seconds} seconds`;
      this.#options.onLine(line);
      return failure("Sandbox.Timedout", line);
    });
    void this.stop();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const groups = PATH.exec(request.url ?? "")?.groups;
    if (groups === undefined) {
      response.writeHead(404).end();
    } else if (request.method === "GET") {
      this.#waiting = response;
      this.#give();
    } else {
      const payload = await text(request);
      // finish the event before the process can ask for the next one
      this.#finish(() => ({ failed: groups.kind !== "response", payload }));
      if (groups.init !== undefined) this.alive = false;
      response.writeHead(202).end();
    }
  }
}
