import type { Secret } from "../../core/secret.ts";
import { seconds } from "../../core/time.ts";
import {
  type GuardedAnswer,
  type GuardedRequest,
  type GuardedServer,
  startGuardedServer,
} from "../loopback/guarded-server.ts";
import { tokenCheck } from "../loopback/token-file.ts";

export interface HealthOptions {
  /** On 127.0.0.1. 0: a free one. */
  readonly port: number;
  /** What `/readyz` asks: whether a login works now. */
  readonly ready: (signal: AbortSignal) => Promise<boolean>;
  /** What `/metrics` answers, in Prometheus' text format. @default - there is no such page */
  readonly metrics?: () => string;
  /** Of whoever may ask `/readyz` and `/metrics`, as `Authorization: Bearer …`. */
  readonly token: Secret;
}

export type Health = GuardedServer;

const MOST_CONNECTIONS = 16;
/** A login takes a second, or as long as the proxy waits for one. */
const LONGEST_ANSWER = seconds(60);

/**
 * Answers `/livez` (the process runs) and `/readyz` (a login works now: 200, else 503) on the
 * loopback, and `/metrics` if there are some. Other hosts' names, pages of browsers, and who has no
 * token for the last two read 403, and nothing is asked of issuer or server for them.
 *
 * @throws ListenError
 */
export function startHealth({ port, ready, metrics, token }: HealthOptions): Promise<Health> {
  const isToken = tokenCheck(token);
  return startGuardedServer({
    port,
    answer: (request) => answerTo(request, isToken, ready, metrics),
    refuse: (refusal) => answerWith(refusal === "size" ? 413 : 403),
    longestAnswer: LONGEST_ANSWER,
    mostConnections: MOST_CONNECTIONS,
    largestBody: 0,
  });
}

const WORDS = {
  200: "ok",
  403: "forbidden",
  404: "ask /livez or /readyz",
  405: "only GET",
  413: "a request has no body",
  503: "not ready",
} as const;

type Status = keyof typeof WORDS;

const answerWith = (status: Status) => ({
  status,
  contentType: "text/plain",
  body: `${WORDS[status]}\n`,
});

/** Prometheus' text format. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

async function answerTo(
  { method, url, headers, signal }: GuardedRequest,
  isToken: (given: string | undefined) => boolean,
  ready: HealthOptions["ready"],
  metrics: HealthOptions["metrics"],
): Promise<GuardedAnswer> {
  if (method !== "GET") return answerWith(405);
  if (url === "/livez") return answerWith(200);
  const isMetrics = url === "/metrics" && metrics !== undefined;
  if (url !== "/readyz" && !isMetrics) return answerWith(404);
  const [, token] = /^Bearer (.*)$/.exec(headers.authorization ?? "") ?? [];
  if (!isToken(token)) return answerWith(403);
  if (isMetrics) return { status: 200, contentType: METRICS_TYPE, body: metrics() };
  return answerWith((await ready(signal)) ? 200 : 503);
}
