import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { aliasArn, type LeasedDatabase } from "./leased-database.ts";
import type { Alias } from "./leases.ts";

/** A call of the issuer, by the clock of `performance.now()`. */
export interface TimedCall {
  readonly event: Readonly<Record<string, unknown>>;
  readonly from: number;
  readonly to: number;
}

/** What a test does while a call is made. */
export interface CallWatch {
  /** Awaited before the issuer is asked. */
  readonly before?: (event: Readonly<Record<string, unknown>>) => Promise<void> | void;
  /** Awaited when the issuer has answered, before its caller hears that. */
  readonly after?: (payload: unknown) => Promise<void> | void;
  /** Called when the last byte of the answer was given to the kernel. */
  readonly sent?: () => void;
}

/** Lambda, as programs that run here call it. The caller stops it. */
export interface IssuerEndpoint {
  readonly url: string;
  /** Calls that were answered. */
  readonly calls: readonly TimedCall[];
  /** `denies` as IAM does; `away`: connections are cut. */
  state: "answers" | "denies" | "away";
  watch: CallWatch;
  stop(): Promise<void>;
}

const PATH = /^\/2015-03-31\/functions\/([^/?]+)\/invocations$/;
const ALIASES: readonly Alias[] = ["user-service--readonly", "user-service--readwrite"];

/** Answers Invoke with what the issuer of `database` says. */
export async function startIssuerEndpoint(database: LeasedDatabase): Promise<IssuerEndpoint> {
  const calls: TimedCall[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const from = performance.now();
    if (endpoint.state === "away") {
      response.destroy();
      return;
    }
    if (endpoint.state === "denies") {
      response.writeHead(403, { "x-amzn-errortype": "AccessDeniedException" }).end("{}");
      return;
    }
    const [, name = ""] = PATH.exec(request.url ?? "") ?? [];
    const alias = ALIASES.find((each) => aliasArn(each) === decodeURIComponent(name));
    if (alias === undefined) {
      response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end("{}");
      return;
    }
    const text = Buffer.concat(await request.toArray()).toString();
    const event = JSON.parse(text) as TimedCall["event"];
    // a call that began keeps its watcher
    const { before, after, sent } = endpoint.watch;
    await before?.(event);
    const { payload, isError } = await database.invoke(alias, event);
    await after?.(payload);
    response.writeHead(200, { ...(isError && { "x-amz-function-error": "Unhandled" }) });
    response.end(JSON.stringify(payload), sent);
    calls.push({ event, from, to: performance.now() });
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const endpoint: IssuerEndpoint = {
    url: `http://127.0.0.1:${port}`,
    calls,
    state: "answers",
    watch: {},
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return endpoint;
}
