import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { aliasArn, type LeasedDatabase } from "../support/leased-database.ts";
import type { Alias } from "../support/leases.ts";

/** Lambda, as programs that run here call it. The caller stops it. */
export interface IssuerEndpoint {
  readonly url: string;
  stop(): Promise<void>;
}

const PATH = /^\/2015-03-31\/functions\/([^/?]+)\/invocations$/;
const ALIASES: readonly Alias[] = ["user-service--readonly", "user-service--readwrite"];

/** Answers Invoke with what the issuer of `database` says. */
export async function startIssuerEndpoint(database: LeasedDatabase): Promise<IssuerEndpoint> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, name = ""] = PATH.exec(request.url ?? "") ?? [];
    const alias = ALIASES.find((each) => aliasArn(each) === decodeURIComponent(name));
    if (alias === undefined) {
      response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end("{}");
      return;
    }
    const event = JSON.parse(Buffer.concat(await request.toArray()).toString()) as object;
    const { payload, isError } = await database.invoke(alias, event);
    response.writeHead(200, { ...(isError && { "x-amz-function-error": "Unhandled" }) });
    response.end(JSON.stringify(payload));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
