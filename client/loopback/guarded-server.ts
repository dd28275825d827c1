import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Duration, milliseconds, seconds } from "../../core/time.ts";
import { listen } from "../proxy/listener.ts";
import { backgroundTime, type ClientTime } from "../time.ts";

/** A request that a program of this machine made on purpose. */
export interface GuardedRequest {
  readonly method: string;
  /** As it was sent: path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** UTF-8. */
  readonly body: string;
  /** The client is gone, the server stops, or time is up. */
  readonly signal: AbortSignal;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Refusal =
  /** Another host's name: a DNS name that was rebound to this machine. */
  | "host"
  /** A page of a browser, or a request that somebody passed on. */
  | "origin"
  /** The body is larger than may be. */
  | "size";

export interface GuardedServerOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  readonly answer: (request: GuardedRequest) => GuardedAnswer | Promise<GuardedAnswer>;
  readonly refuse: (refusal: Refusal) => GuardedAnswer;
  /** The longest that {@link answer} may take. */
  readonly longestAnswer: Duration;
  readonly mostConnections: number;
  /** Unit: bytes. */
  readonly largestBody: number;
  /** For how long a client may send a request, and then read the answer. @default 5 s */
  readonly slowest?: Duration;
  /** @default - the clocks of this machine; waits do not keep the process from ending */
  readonly time?: ClientTime;
}

export interface GuardedServer extends AsyncDisposable {
  readonly port: number;
}

/** A request is one line and a few headers. */
const SLOWEST: Duration = seconds(5);
/** Unit: bytes. */
const LARGEST_HEADERS = 8_192;
/** Node looks for late requests that often; by itself each 30 s. */
const LOOKS_EACH: Duration = seconds(1);

/**
 * An HTTP server on the loopback for programs of this machine. Requests under other hosts' names,
 * of browsers' pages, and passed on by others are refused before anything is done for them. A
 * connection carries one request, and lives no longer than its limits say.
 *
 * @throws ListenError
 */
export async function startGuardedServer(options: GuardedServerOptions): Promise<GuardedServer> {
  const { time = backgroundTime, slowest = SLOWEST, longestAnswer } = options;
  const longest = milliseconds(slowest + longestAnswer + slowest);
  let port = options.port;
  const server = createServer(
    {
      requestTimeout: slowest,
      headersTimeout: slowest,
      connectionsCheckingInterval: Math.min(slowest, LOOKS_EACH),
      maxHeaderSize: LARGEST_HEADERS,
    },
    (request, response) => {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      void answerTo(request, port, options, gone.signal).then((answer) => {
        const { status, contentType, headers, body } = answer;
        response.writeHead(status, {
          ...headers,
          "content-type": contentType,
          "content-length": Buffer.byteLength(body),
          "cache-control": "no-store",
          connection: "close",
        });
        response.end(body);
      });
    },
  );
  server.on("connection", (socket) => void endLate(socket, longest, time));
  server.maxConnections = options.mostConnections;
  server.maxRequestsPerSocket = 1;
  await listen(server, { port });
  const address = server.address();
  if (typeof address === "object" && address !== null) port = address.port;
  return {
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whoever sends or reads slower and slower keeps a connection no longer than this. */
async function endLate(socket: Socket, longest: Duration, time: ClientTime): Promise<void> {
  const over = new AbortController();
  socket.once("close", () => over.abort());
  await time.wait(longest, over.signal);
  socket.destroy();
}

async function answerTo(
  request: IncomingMessage,
  port: number,
  { answer, refuse, largestBody }: GuardedServerOptions,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const refusal = refusalOf(request, port);
  if (refusal !== undefined) return refuse(refusal);
  const body = await bodyOf(request, largestBody);
  if (body === undefined) return refuse("size");
  const { method = "", url = "", headers } = request;
  return answer({ method, url, headers, body, signal });
}

/** Names under which a program of this machine asks. A rebound DNS name is another. */
const HOST = /^(?:127\.0\.0\.1|localhost)(?::(\d{1,5}))?$/;

function refusalOf({ headers, headersDistinct }: IncomingMessage, port: number) {
  const [host = "", ...others] = headersDistinct.host ?? [];
  const found = HOST.exec(host);
  if (found === null || others.length > 0) return "host";
  if (found[1] !== undefined && Number(found[1]) !== port) return "host";
  if (headers.origin !== undefined || headers["x-forwarded-for"] !== undefined) return "origin";
  return undefined;
}

/** Undefined if it is too large: what is left of it is not read. */
function bodyOf(request: IncomingMessage, largest: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= largest) return void chunks.push(chunk);
      request.pause();
      resolve(undefined);
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    // nobody reads an answer then
    request.once("error", () => resolve(undefined));
    request.once("close", () => resolve(undefined));
  });
}
