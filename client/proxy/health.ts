import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { Secret } from "../../core/secret.ts";
import { type Duration, milliseconds } from "../../core/time.ts";
import { ListenError, listen } from "./listener.ts";

export interface HealthOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  /** What `/readyz` asks: whether a login works now. */
  readonly ready: (signal: AbortSignal) => Promise<boolean>;
  /** Of whoever may ask `/readyz`, as `Authorization: Bearer …`. See {@link healthToken}. */
  readonly token: Secret;
}

export interface Health extends AsyncDisposable {
  readonly port: number;
}

/** Names under which a browser or a probe on this machine may ask. A rebound DNS name is another. */
const HOSTS = new Set(["127.0.0.1", "localhost"]);

/** A request is one line and a few headers. */
const SLOWEST: Duration = milliseconds(5_000);
const MOST_CONNECTIONS = 16;

/**
 * Answers `/livez` (the process runs) and `/readyz` (a login works now: 200, else 503) on the
 * loopback. Other hosts' names, pages of browsers, and `/readyz` without the token read 403, and
 * nothing is asked of issuer or server for them.
 *
 * @throws ListenError
 */
export async function startHealth({ port, ready, token }: HealthOptions): Promise<Health> {
  const expected = digestOf(`Bearer ${token.reveal()}`);
  const server = createServer(
    { requestTimeout: SLOWEST, headersTimeout: SLOWEST, maxHeaderSize: 8_192 },
    (request, response) => {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      void statusFor(request, expected, () => ready(gone.signal)).then((status) => {
        response.writeHead(status, { "content-type": "text/plain", connection: "close" });
        response.end(`${WORDS[status]}\n`);
      });
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  await listen(server, { port });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const WORDS = {
  200: "ok",
  403: "forbidden",
  404: "ask /livez or /readyz",
  405: "only GET",
  503: "not ready",
} as const;

async function statusFor(
  { method, url, headers }: IncomingMessage,
  expected: Buffer,
  ready: () => Promise<boolean>,
): Promise<keyof typeof WORDS> {
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  if (!HOSTS.has(host) || headers.origin !== undefined) return 403;
  if (method !== "GET") return 405;
  if (url === "/livez") return 200;
  if (url !== "/readyz") return 404;
  if (!timingSafeEqual(digestOf(headers.authorization ?? ""), expected)) return 403;
  return (await ready()) ? 200 : 503;
}

/** Digests have one length, so that comparing them takes one time. */
const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();

const TOKEN_BYTES = 24;

/**
 * The token in a file that only its owner may read. The file is made if there is none.
 *
 * @throws ListenError if others may read the file, or it cannot be written or read.
 */
export function healthToken(path: string, random: (bytes: number) => Buffer): Secret {
  try {
    writeFileSync(path, `${random(TOKEN_BYTES).toString("base64url")}\n`, {
      mode: 0o600,
      flag: "wx",
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw unusable(path, `cannot be written: ${(error as NodeJS.ErrnoException).code}`, error);
  }
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) throw unusable(path, "may be read by others; chmod it to 600");
  const token = readFileSync(path, "utf8").trim();
  if (token.length < TOKEN_BYTES) throw unusable(path, "has no token; remove it");
  return new Secret(token);
}

const unusable = (path: string, problem: string, cause?: unknown): ListenError =>
  new ListenError(`the token file ${path.slice(-60)} ${problem}`, { cause });
